"""Measures of learning and its replay, taken while a run trains: see `docs/diagnostics.md`.

In come the learner, the buffer and one gradient step (batch and update); out goes one number for each
measure and lane. Nothing here changes the run: its random numbers come from a stream of their own. May
import replay, agent, config and numerics.
"""
