"""The commands that read stored runs: their arguments, and what they print.

In: the words of a command line. Out: a printed table, JSON, or the paths of written files, and an exit
status. Each module adds the commands of one kind to the parser and imports what a command needs when it
runs. The last package in the order of `analysis`: imports all others, is imported by none.
"""

COMMANDS = {
    "report": "tables, figures and page of a study",
    "table": "print one table of a study",
    "figure": "write one kind of figure of a study",
    "compare": "each arm against the baseline, or two arms",
    "checklist": "a reproducibility paragraph in LaTeX, and common errors found in a study",
    "scores": "every score of every run",
    "claims": "the article's claims, each with its verdict",
    "papers": "papers' results beside those of the stored runs",
    "gallery": "put the papers' studies into docs/papers/",
    "import": "make a study of runs that were trained elsewhere",
    "export": "write runs of a study as Stable-Baselines3 does",
    "sync": "upload what W&B does not have yet",
    "pull": "rebuild the store from W&B",
    "wandb-report": "a study as a W&B report",
}
"""The commands and their help, in the order in which they are listed."""
