"""The game with an allreduce on every guess and another on every score, as a first program has it.

Arguments: highest digit, number of games, seed. Rank 0 prints one line of JSON, see `report.py`.
"""

import random
import sys
from time import perf_counter_ns

from mpi4py import MPI

from report import report

comm = MPI.COMM_WORLD
n_digits, n_games, seed = map(int, sys.argv[1:4])
random.seed(f"{seed} {comm.rank}")

n_guesses = 0
games = []
for game in range(n_games):
    comm.Barrier()
    start = perf_counter_ns()
    mine = []  # the digits that this rank has scored
    claimed = set()
    while len(claimed) < n_digits:
        guess = random.randint(0, n_digits)
        n_guesses += 1
        claimed = set(comm.allreduce(mine))  # a sum of lists is all of them in one
        if guess > 0 and guess not in claimed:
            mine.append(guess)
            claimed = set(comm.allreduce(mine))
    games.append((perf_counter_ns() - start, mine))

report(comm, n_digits, n_guesses, games)
