"""The base class of errors that a user can fix."""


class CraneError(Exception):
    """Something outside the code is wrong; the message says what, where, and how to fix it.

    Scripts print it as one line instead of a traceback.
    """
