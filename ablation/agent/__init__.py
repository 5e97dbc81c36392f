"""The value-learning agent: stacked networks, losses, optimizers, exploration and the learner.

In come an agent's configuration, observations `[L, N, O]` and weighted batches `[L, B, ...]`; out go
actions, action values and the TD errors of each gradient step. Two backends: compiled loops and PyTorch.
May import config and numerics; knows neither environments nor replay.
"""
