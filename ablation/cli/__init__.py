"""The program `replay-ablation`: the list of its commands, and those that plan and train.

What comes in are the words of a command line and the files in `conf/`; what goes out is text on the
terminal (or JSON) and an exit status. Composes configurations with Hydra, expands the study, and hands
the plan to `ablation.sweep`; commands that read stored runs are those of `analysis.commands`. May import
everything but the plugin; only the plugin and `ablation.__main__` import it.
"""
