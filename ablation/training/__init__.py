"""Trains the runs of one job together: the trainer protocol, DQN, evaluation and checkpoints.

In come a cell's configuration, the seeds of its runs and a device; out go records (episodes,
evaluations, learner rows) and a state that a checkpoint keeps. May import diagnostics, replay, agent,
envs, store, config and numerics; knows neither tasks nor sweeps.
"""
