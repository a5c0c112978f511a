"""S3 object created: takes an upload in and parses it. Raises what S3 or Redis refused, so that Lambda tries again."""

from typing import Any

from shared.auth.internal import scope_of
from shared.files.arrivals import Arrivals, arrivals_in
from shared.files.filing import Filing
from shared.observe.log import failed
from shared.observe.metrics import measured
from shared.realtime.realtime import Realtime
from shared.settings import settings

# A copy of 1 GiB within S3 takes tens of seconds.
filing = Filing(Realtime.from_settings(settings()), s3_timeout_s=35)
arrivals = Arrivals(filing)


@measured
def handler(event: dict[str, Any], context: Any) -> None:
    request_id = getattr(context, "aws_request_id", "")
    problem: Exception | None = None
    for tenant, file_id in arrivals_in(event):
        try:
            arrivals.arrived(scope_of(tenant), file_id, request_id)
        except Exception as error:
            failed("parse", error, context)
            problem = error
    if problem is not None:
        raise problem
