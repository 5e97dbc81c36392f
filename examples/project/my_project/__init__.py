"""The code of this project: an environment and a sampler."""
