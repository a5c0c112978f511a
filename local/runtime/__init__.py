"""AWS Lambda on one machine: AWS's own runtime client in worker processes, one event each at a time."""

from local.runtime.function import RuntimeFunction
from local.runtime.lambda_runtime import LambdaRuntime
from local.runtime.output import WorkerLog

__all__ = ["LambdaRuntime", "RuntimeFunction", "WorkerLog"]
