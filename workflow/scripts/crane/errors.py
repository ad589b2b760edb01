"""The root of all errors that tell a user what to mend."""


class CraneError(Exception):
    """Something outside the code is wrong; the message says what, where, and what to do.

    Scripts print it as one line instead of a traceback.
    """
