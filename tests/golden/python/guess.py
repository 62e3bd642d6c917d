"""A guessing game in lockstep. Own program; argv: highest digit, seed, tally prefix, [time]."""
import json
import random
import sys
import time

from mpi4py import MPI

# One rank may be in its second allreduce while another is in its next first one: both count alike.
comm = MPI.COMM_WORLD
rank = comm.Get_rank()
top = int(sys.argv[1])
rng = random.Random(int(sys.argv[2]) * 1000 + rank)
stamp = len(sys.argv) > 4 and sys.argv[4] == "time"
think = float(sys.argv[5]) if len(sys.argv) > 5 else 0.0
t0 = time.time()


def say(text):
    if stamp:
        text = "%.2f: %s" % (time.time() - t0, text)
    print(text)


mine, taken, guesses, points, rows = [], {0}, 0, 0, []
while len(taken) <= top:
    digit = rng.randint(0, top)
    if think:
        time.sleep(rng.random() * think * (rank + 1))
    guesses += 1
    say(f"rank {rank} guessed {digit} on guess {guesses}; has {points} points")
    # The list is that of this round; a guess of a digit that is not in it scores.
    taken.update(comm.allreduce([*mine]))
    free = digit not in taken
    rows.append([digit, guesses, points, free])
    if free:
        points += 1
        mine.append(digit)
        say(f"rank{rank} guess{guesses} scores!")
        taken.update(comm.allreduce([*mine]))
say(f"rank {rank} got {points} points with {guesses} guesses")
with open(f"{sys.argv[3]}.{rank}.json", "w") as f:
    json.dump({"rank": rank, "guesses": guesses, "points": points, "scored": mine, "rows": rows}, f)
