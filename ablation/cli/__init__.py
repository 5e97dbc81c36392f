"""The commands `sweep`, `plan` and `status`, and everything that they print.

What comes in are the words of a command line and the files in `conf/`; what goes out is text on the
terminal (or JSON) and an exit status. Composes configurations with Hydra, expands the study, and hands
the plan to `ablation.sweep`. May import everything but the plugin; only the plugin and
`python -m ablation` import it.
"""
