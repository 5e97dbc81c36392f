"""From results to files: a study's report, the pages of claims and papers, the gallery in the docs.

In: a results directory and a study's name. Out: tables, figures and one self-contained HTML page in the
study's `report` directory, and the same exhibits in README and docs. Imports all other packages of
`analysis` but `wandb` and `commands`, which import it.
"""
