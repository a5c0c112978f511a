"""What the person at the terminal hears as one line."""


class Refused(Exception):
    """The local stack cannot do what was asked; the message says why and what to do."""
