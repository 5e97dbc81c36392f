"""The error of a request that the analysis cannot meet."""


class RequestError(Exception):
    """A request that names something that is not there; the message says what there is."""
