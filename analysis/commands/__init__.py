"""The commands of `python -m analysis`: their arguments, and what they print.

In: the command line. Out: a printed table, JSON, or the paths of written files, and an exit status. Each
module adds the commands of one kind to the parser and imports what a command needs when it runs, so that
`--help` is quick. The last package in the order of `analysis`: imports all others, is imported by none.
"""
