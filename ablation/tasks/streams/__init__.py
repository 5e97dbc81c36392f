"""Streams of labeled examples whose data change: does replay keep a classifier from forgetting?

In: a data set that is installed or part of Python. Out: accuracy or loss by group of test examples after
each evaluation, and how much was forgotten. `data` says what a data set is and lists them, `order` in
which order runs see their examples, `classifier` has the networks, `trainer` the `Trainer` that learns
from a replay buffer of examples.
Imports `agent`, `replay` and what they may import.
"""
