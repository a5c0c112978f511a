"""One JSON object a line on standard output, which CloudWatch indexes by its members."""

import json
import logging
import sys
import traceback
from typing import Any, Final

_LOGGER: Final = logging.getLogger("traffic_cop")


def configure(level: str) -> None:
    """Sets the threshold; called once per cold start."""
    _LOGGER.setLevel(level)
    if not _LOGGER.handlers:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter("%(message)s"))
        _LOGGER.addHandler(handler)
        _LOGGER.propagate = False


def log(level: int, event: str, **members: Any) -> None:
    """Members must be JSON; never a token, a key or the data of a tenant."""
    record = {"level": logging.getLevelName(level), "event": event, **members}
    _LOGGER.log(level, "%s", json.dumps(record, default=str))


def info(event: str, **members: Any) -> None:
    log(logging.INFO, event, **members)


def failed(what: str, error: BaseException, context: Any = None) -> None:
    """An error that nobody expected, with its trace and the request it hit."""
    log(
        logging.ERROR,
        f"{what}.failed",
        error=type(error).__name__,
        message=str(error),
        request_id=getattr(context, "aws_request_id", None),
        trace=traceback.format_exception(error),
    )
