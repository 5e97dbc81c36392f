"""The plugin that makes `replay-ablation sweep` a sweep of a study.

Hydra imports whatever lies in this package into every Hydra program of the environment: nothing else
belongs here, and nothing of ours may be imported before a sweep begins. What comes in is Hydra's
configuration and the words of a command line; everything else happens in `ablation.cli.sweep`.
"""
