"""Stored runs and studies to W&B and back: upload, a study as a W&B report, and pulling a project.

In: a results directory, or a W&B project. Out: everything that W&B does not have yet, uploaded; a report
there; or a store rebuilt from the files of the studies on the server. Speaks to W&B
through `ablation.tracking`, and imports `analysis.report` and what stands below it.
"""
