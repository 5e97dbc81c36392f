"""Environments as lanes: many independent copies, stepped together, each episode from a seed of its own.

In come an environment id and its options, then actions `[L]`; out go its sizes (`spec`), and
observations, rewards and ends `[L, ...]`. Batched dynamics where we have them, else Gymnasium. May
import config and numerics; knows neither agents nor replay.
"""
