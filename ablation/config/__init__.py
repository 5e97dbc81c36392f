"""One cell: the configuration of a training run without its seed, checked, and its identity.

In: the plain values of a cell, as Hydra composes them. Out: a `Cell` with typed sections, step schedule,
canonical form and name; `ConfigError` for a value that is refused. The tables of replay kinds, tasks,
losses and optimizers are here, with import paths in place of code, so that planning loads no PyTorch.
Imports nothing else of the project; every package may import it.
"""
