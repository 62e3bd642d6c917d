"""What a Python program of this folder tells the benchmark."""

import json
from collections import Counter


def report(comm, n_digits, n_guesses, games):
    """Prints what all ranks did as one line, on rank 0. Collective.

    `games` has for each game how long this rank played, in nanoseconds, and the digits that it scored.
    `outcomes` of the line says how many games had so many points and so many different digits.
    """
    ranks = comm.gather((n_guesses, games))
    if comm.rank != 0:
        return
    play_ns, outcomes = 0, Counter()
    for same_game in zip(*(games for _, games in ranks), strict=True):
        play_ns += max(ns for ns, _ in same_game)
        scored = [digit for _, digits in same_game for digit in digits]
        assert all(1 <= digit <= n_digits for digit in scored), scored
        outcomes[len(scored), len(set(scored))] += 1
    print(
        json.dumps(
            {
                "play_s": play_ns / 1e9,
                "guesses": [guesses for guesses, _ in ranks],
                "points": [sum(len(digits) for _, digits in games) for _, games in ranks],
                "outcomes": [[*outcome, n] for outcome, n in outcomes.items()],
            }
        )
    )
