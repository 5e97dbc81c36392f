"""A study: from the declaration in its file to a plan of arms, cells and seeds.

In: the plain values of a study file and a function that resolves overrides to a configuration. Out: a
`Plan`, its tuning and reporting stages, and the history of plans in the store. Expansion touches neither
the disk nor Hydra; only `history` writes.
Imports `config` and `store`.
"""
