"""Sends to the SQS queue of lanes by its JSON protocol, so that the realtime functions need no boto3."""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from shared.aws.credentials import Credentials
from shared.aws.http import HttpClient
from shared.aws.sigv4 import Signer, sha256_hex
from shared.errors import Unavailable
from shared.settings import Settings

_BATCH = 10
_ATTEMPTS = 2


class LaneQueue:
    """One SQS queue. Sending twice is harmless to its consumers, so a send is repeated when in doubt."""

    def __init__(
        self,
        url: str,
        signer: Signer,
        http: HttpClient,
        endpoint: str = "",
        now: Callable[[], float] = time.time,
    ) -> None:
        self._url = url
        self._signer = signer
        self._http = http
        self._endpoint = (endpoint or "{0.scheme}://{0.netloc}".format(urlsplit(url))).rstrip("/") + "/"
        self._now = now

    @classmethod
    def from_settings(cls, settings: Settings) -> "LaneQueue":
        """The queue that the settings name; credentials come from the environment."""
        signer = Signer(Credentials.from_env(), settings.aws_region, "sqs")
        return cls(settings.lanes_queue_url, signer, HttpClient(3.0), settings.aws_endpoint_url_sqs)

    def send(self, messages: Sequence[str], delay_s: int = 0) -> None:
        """Enqueues every message, ten a request, to be seen after `delay_s` (0 to 900).

        Raises Unavailable if one of them was not accepted.
        """
        for start in range(0, len(messages), _BATCH):
            self._send_batch(dict(enumerate(messages[start : start + _BATCH])), delay_s)

    def _send_batch(self, waiting: dict[int, str], delay_s: int) -> None:
        for _ in range(_ATTEMPTS):
            entries = [
                {"Id": str(i), "MessageBody": message, "DelaySeconds": delay_s} for i, message in waiting.items()
            ]
            answer = self._call("SendMessageBatch", {"QueueUrl": self._url, "Entries": entries})
            waiting = {int(failed["Id"]): waiting[int(failed["Id"])] for failed in answer.get("Failed", ())}
            if not waiting:
                return
        raise Unavailable("the queue refused a message")

    def _call(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps(arguments).encode()
        headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"AmazonSQS.{operation}"}
        signed = self._signer.headers("POST", self._endpoint, headers, sha256_hex(body), self._now())
        reply = self._http.request("POST", self._endpoint, signed, body)
        if reply.status != 200:
            raise Unavailable(f"the queue answered {reply.status}")
        answer: dict[str, Any] = json.loads(reply.body)
        return answer
