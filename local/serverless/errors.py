"""What is wrong with serverless.yml, or beyond what the local stack runs."""

from local.refused import Refused


class ServerlessError(Refused):
    """The message says where in the file and what to do about it."""
