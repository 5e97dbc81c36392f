"""What a component of the user's own must do before it is trained with, property by property.

`play` runs a buffer through scripted experience, `sampler` has the properties of samplers and eviction
rules, `frequencies` the test of what is drawn.
"""
