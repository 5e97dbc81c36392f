"""Replay for many lanes: where items live, which are drawn, and how draws are weighted.

Nothing here knows what an item means: fields are named tensors of any shape.
"""
