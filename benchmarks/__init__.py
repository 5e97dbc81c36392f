"""Measurements: never tests, always ratios within one run."""

import os

from ablation.numerics.library_settings import library_settings

# Every module here is a program, or runs in one.
os.environ.update(library_settings())
