"""What can go wrong with the local stack, said to the person who runs it."""


class LocalStackError(Exception):
    """The local stack cannot do what was asked; the message says why and what to do."""
