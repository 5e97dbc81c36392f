"""Replay for all lanes: where items are stored, which are drawn, and how their losses are weighted.

In come transitions `[L, ...]`, then TD errors; out go batches `[L, B, ...]` with weights. A
`ReplayBuffer` puts a ring, a sampler and a record of usage together; fields are named tensors of any
shape, except where n-step returns or frames need to know them. May import envs (their sizes), config and
numerics.
"""
