"""What the analysis answers to a request that it cannot meet."""


class Refused(Exception):
    """A request that cannot be met as it was worded."""
