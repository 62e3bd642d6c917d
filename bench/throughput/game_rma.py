"""The game with mpi4py's own one-sided operations: a bit a digit in a window on rank 0.

Arguments: highest digit, number of games, seed. Rank 0 prints one line of JSON, see `report.py`.

Written for speed: no object is made for an operation but what mpi4py makes itself, buffers are
allocated once, and one lock is held for the whole job.
"""

import random
import sys
from time import perf_counter_ns

from mpi4py import MPI

from report import report

HOME = 0
WORD_BITS = 64

comm = MPI.COMM_WORLD
n_digits, n_games, seed = map(int, sys.argv[1:4])
random.seed(f"{seed} {comm.rank}")

n_words = -(-n_digits // WORD_BITS)
full = [(1 << min(WORD_BITS, n_digits - WORD_BITS * word)) - 1 for word in range(n_words)]
word_bytes = MPI.UINT64_T.Get_size()
n_bytes = n_words * word_bytes if comm.rank == HOME else 0
window = MPI.Win.Allocate(n_bytes, word_bytes, comm=comm)

# What an operation sends and what it fetches. Python reads and writes them as numbers through a view.
operand, before = bytearray(word_bytes), bytearray(word_bytes)
operand_value, before_value = memoryview(operand).cast("Q"), memoryview(before).cast("Q")
operand_spec, before_spec = [operand, 1, MPI.UINT64_T], [before, 1, MPI.UINT64_T]
zeros = [bytearray(n_words * word_bytes), n_words, MPI.UINT64_T]


def play():
    """One game; the number of guesses, and the digits that this rank claimed."""
    fetch_and_op, flush, draw = window.Fetch_and_op, window.Flush, random.random
    bor, n_choices = MPI.BOR, n_digits + 1
    known = [0] * n_words
    n_unfinished = n_words
    n_guesses, won = 0, []
    while n_unfinished:
        guess = int(draw() * n_choices)
        n_guesses += 1
        if guess:
            word, bit = divmod(guess - 1, WORD_BITS)
            bit = 1 << bit
        else:  # claimed from the start; the operation only looks
            word, bit = next(word for word in range(n_words) if known[word] != full[word]), 0
        operand_value[0] = bit
        fetch_and_op(operand_spec, before_spec, HOME, word, bor)
        flush(HOME)
        seen = before_value[0]
        if bit and not seen & bit:
            won.append(guess)
        if known[word] != full[word]:
            known[word] = seen | bit
            n_unfinished -= known[word] == full[word]
    return n_guesses, won


n_guesses = 0
games = []
window.Lock_all()
for game in range(n_games):
    comm.Barrier()  # all have left the game before
    if comm.rank == HOME:
        window.Accumulate(zeros, HOME, 0, MPI.REPLACE)
        window.Flush(HOME)
    comm.Barrier()
    start = perf_counter_ns()
    guesses, won = play()
    games.append((perf_counter_ns() - start, won))
    n_guesses += guesses
window.Unlock_all()
window.Free()

report(comm, n_digits, n_guesses, games)
