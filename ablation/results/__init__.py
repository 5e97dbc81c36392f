"""Stored runs as numbers: loading a study, scores of a run, random and reference scores.

In: a results directory and a study's plan. Out: `StudyRuns` with tables and scores, and the choices of a
tuning stage. Workers, tuning and reports all read runs here, so that one definition of a score serves
them. May import `ablation.study`, `store`, `config` and `numerics`.
"""
