"""The components of Rainbow (Hessel et al. 2018) that are a network's: one file each."""
