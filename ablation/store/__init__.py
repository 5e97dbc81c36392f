"""The results directory: one directory per run, written whole or not at all.

What comes in are a run's record and the rows of its tables; what goes out are `run.json` and Parquet
files in fixed columns. The store is the truth of a sweep, whatever W&B or a report says. Also here: JSON
files, checks of the disk, and where numbers come from (versions, commit). Imports nothing of ours.
"""
