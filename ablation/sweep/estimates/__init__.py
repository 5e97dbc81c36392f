"""What a sweep would take, before it starts: memory, disk and time.

In: the cells and jobs of a plan, and the runs in a store. Out: bytes and seconds of each job, a forecast
of the sweep, and `ConfigError` where this machine is too small.
Imports no PyTorch, except to measure speeds when asked to.
"""
