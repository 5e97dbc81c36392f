"""The Blind Cliffwalk of Schaul et al. (2016, section 3.1): a table of values from a full buffer.

In: the length of a chain. Out: the error of the values after each evaluation, until they are right.
`chain` has transitions, exact values and the update, `oracle` the sampler that knows the exact values,
`trainer` the `Trainer`, `spec` the sizes for planning.
Imports `replay` and what it may import.
"""
