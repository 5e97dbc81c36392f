"""Handwritten digits as a stream whose classes change: does replay keep a classifier from forgetting?

In: scikit-learn's images. Out: accuracy by class after each evaluation, and how much was forgotten.
`data` has the images, `stream` the order in which runs see them, `classifier` the networks, `trainer`
the `Trainer` that learns from a replay buffer of (image, label).
Imports `agent`, `replay` and what they may import.
"""
