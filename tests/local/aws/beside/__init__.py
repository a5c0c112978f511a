"""The same requests to our gate and to an S3 that others wrote: `python -m tests.local.aws.beside`."""
