"""Requests to a judge, told apart by a number."""

from crane.judging.interface import Request


def requests(*numbers: int) -> list[Request]:
    """Return a request for each number."""
    return [Request("http://h/v1", {"model": "m", "messages": [n]}, 0) for n in numbers]


def keys(*numbers: int) -> list[str]:
    """Return the keys of those requests."""
    return [request.key for request in requests(*numbers)]
