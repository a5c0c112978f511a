"""What is wrong with serverless.yml, or beyond what the local stack runs."""


class ServerlessError(Exception):
    """The message says where in the file and what to do about it."""
