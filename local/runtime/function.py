"""What the runtime must know of a function, and the process environment that Lambda would give it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

# Where the interpreter finds itself and its libraries; everything else is the declaration's business.
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH")


@dataclass(frozen=True)
class RuntimeFunction:
    """`handler` as in serverless.yml (`functions/connect/handler.handler`), `timeout` in seconds, `memory` in MB."""

    name: str
    handler: str
    timeout: float = 6
    memory: int = 1024
    environment: Mapping[str, str] = field(default_factory=dict)
    full_name: str = ""
    runtime: str = "python3.13"
    region: str = "us-east-1"
    account_id: str = "123456789012"

    @property
    def deployed_name(self) -> str:
        return self.full_name or self.name

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{self.region}:{self.account_id}:function:{self.deployed_name}"


def process_environment(function: RuntimeFunction, code_root: Path, stream: str) -> dict[str, str]:
    """Nothing of the user's shell but the search paths: a variable that is not declared is not there, as in Lambda."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    lambdas_own = {
        "AWS_DEFAULT_REGION": function.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_FUNCTION_NAME": function.deployed_name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": "Text",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.deployed_name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "AWS_REGION": function.region,
        "LAMBDA_TASK_ROOT": str(code_root),
        "LANG": "en_US.UTF-8",
        "PYTHONPATH": str(code_root),
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
        "TZ": ":UTC",
        "_HANDLER": function.handler,
    }
    return inherited | lambdas_own | dict(function.environment)
