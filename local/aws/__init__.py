"""S3 and SQS on one machine: moto in a process of its own, behind a gate that refuses what S3 refuses."""

from local.aws.server import LocalAws
from local.aws.threaded import ThreadedAws

__all__ = ["LocalAws", "ThreadedAws"]
