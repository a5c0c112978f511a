"""SQS: goes on with lanes that somebody left; a message names the lane, so it may come late or twice."""

import time
from typing import Any, Final

from shared.auth.internal import scope_of
from shared.observe.log import failed
from shared.observe.metrics import measured
from shared.realtime.delivery import lane_of
from shared.realtime.realtime import Realtime
from shared.settings import settings

# Kept back for the last advance and the message that hands the lane over.
_RESERVED_S: Final = 8.0

realtime = Realtime.from_settings(settings())


@measured
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    undone = [{"itemIdentifier": record["messageId"]} for record in event["Records"] if not drain(record, context)]
    return {"batchItemFailures": undone}


def drain(record: dict[str, Any], context: Any) -> bool:
    """Whether the message is dealt with; a failure leaves it to the queue's retries."""
    try:
        tenant, lane = lane_of(record["body"])
        until = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - _RESERVED_S
        realtime.delivery.wake(scope_of(tenant), lane.channel, until, lane.number)
    except Exception as error:
        failed("deliver", error, context)
        return False
    return True
