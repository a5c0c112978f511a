"""`Idempotency-Key`: a request that comes again is answered again, not done again (facts: draft-ietf-httpapi).

The first attempt leaves a seed, and the request makes its ids from it: an attempt after a crash, or after an answer
that got lost, makes the same thing and not a second one.
"""

import hashlib
import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from fastapi import Response

from shared.auth.identity import Identity
from shared.auth.revocations import Revocations
from shared.errors import IdempotencyInFlight, IdempotencyMismatch, Invalid, TrafficCopError
from shared.state.client import Argument, Redis
from shared.state.keys import Key
from shared.state.scripts import script

_BEGIN: Final = script(__file__, "idempotency_begin")
_FINISH: Final = script(__file__, "idempotency_finish")
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
# Longer than a request takes, so that duplicates wait for the first, and short for who waits after a worker's death. An
# attempt that takes longer does no harm: the next makes the same thing of the same seed.
LOCK_MS: Final = 6_000
KEEP_MS: Final = 86_400_000
SEED_BYTES: Final = 16


class Idempotency:
    """Runs a request once for each key of a user and route; the answer is kept for 24 h."""

    def __init__(self, redis: Redis, now: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._now = now

    def once(
        self,
        identity: Identity,
        route: str,
        key: str | None,
        payload: Mapping[str, Any],
        work: Callable[[str], Response],
    ) -> Response:
        """The answer of `work(seed)`, or of the earlier request with this key; seeds are 128 random bits in hex.

        Raises IdempotencyMismatch if that had another payload, IdempotencyInFlight while it runs, InvalidToken where
        an earlier answer waits for a revoked token. Without a key the work is simply done.
        """
        seed = secrets.token_hex(SEED_BYTES)
        if key is None:
            return work(seed)
        if not _KEY.fullmatch(key):
            raise _malformed()
        record = identity.scope.key("idem", identity.user, route, key)
        status, *rest = self._begin(record, payload, seed)
        if status == "answer":
            # The work, which would refuse a void token, is not done.
            Revocations(self._redis, identity.scope, self._now).refuse(identity)
            return _restored(rest[0])
        if status != "run":
            raise _refused(status)
        return self._run(record, lambda: work(rest[0]))

    def _begin(self, record: Key, payload: Mapping[str, Any], seed: str) -> list[str]:
        args: dict[str, Argument] = {
            "fingerprint": _fingerprint(payload),
            "seed": seed,
            "now_ms": int(self._now() * 1000),
            "lock_ms": LOCK_MS,
            "keep_ms": KEEP_MS,
        }
        answer: list[str] = self._redis.run(_BEGIN, {"record": record}, args)
        return answer

    def _run(self, record: Key, work: Callable[[], Response]) -> Response:
        try:
            response = work()
        except TrafficCopError as error:
            self._finish(record, "forget" if error.status < 500 else "retry")
            raise
        except Exception:
            self._finish(record, "retry")
            raise
        self._finish(record, "answer", _kept(response))
        return response

    def _finish(self, record: Key, outcome: str, answer: str = "") -> None:
        self._redis.run(_FINISH, {"record": record}, {"outcome": outcome, "answer": answer}, idempotent=True)


def _malformed() -> Invalid:
    detail = "Idempotency-Key has 1 to 255 visible ASCII characters"
    return Invalid(detail, [{"detail": detail, "parameter": "Idempotency-Key"}])


def _refused(status: str) -> TrafficCopError:
    if status == "mismatch":
        return IdempotencyMismatch("this Idempotency-Key came with another body before; take a new one")
    return IdempotencyInFlight("the first request with this Idempotency-Key is still running", retry_after=1)


def _fingerprint(payload: Mapping[str, Any]) -> str:
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _kept(response: Response) -> str:
    headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in response.raw_headers]
    return json.dumps([response.status_code, headers, bytes(response.body).decode()], ensure_ascii=False)


def _restored(text: str) -> Response:
    status, headers, body = json.loads(text)
    response = Response(body, status)
    response.raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    response.headers["Idempotent-Replayed"] = "true"
    return response
