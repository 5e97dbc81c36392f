"""Runs that were trained elsewhere, as a study of the store that everything downstream reads unchanged.

In: files of other programs (`formats` has one reader each), or a data frame. Out: a plan and read-only
tables below `results/outside/<study>/`; and the way back, `export`. `native` copies runs of another
results directory of ours. What a file does not say stays unknown, and what it says is checked before
anything is written: names become keys, never paths.
"""
