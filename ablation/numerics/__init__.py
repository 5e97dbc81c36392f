"""Numbers with the same bits everywhere: random words, compiled loops, values of pixels.

In come seeds, streams and steps, or functions to compile; out go words and fast loops whose results
depend on nothing beside their arguments. Imports no other package of ours.
"""
