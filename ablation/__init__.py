"""Experience-replay ablations: studies as data, seeds trained in parallel, runs addressed by content.

What comes in is one study file and Hydra's command line; what goes out are runs below `results/` and a
report. Importing this package sets nothing and starts nothing: `replay-ablation` does.
"""
