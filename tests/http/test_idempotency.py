"""A request with an Idempotency-Key is done once, whatever happens on the way."""

import contextlib
from collections.abc import Callable
from dataclasses import replace

import pytest
import redis
from fastapi import Response

from shared.auth.identity import Identity
from shared.auth.revocations import Revocations
from shared.errors import Conflict, IdempotencyInFlight, IdempotencyMismatch, Invalid, InvalidToken
from shared.http.idempotency import KEEP_MS, LOCK_MS, Idempotency
from shared.state.client import Redis
from shared.state.errors import OutcomeUnknown

ROUTE = "POST /things"


class Work:
    """Counts its runs and remembers their seeds."""

    def __init__(self, *failures: Exception | None) -> None:
        self.seeds: list[str] = []
        self._failures = list(failures)

    def __call__(self, seed: str) -> Response:
        self.seeds.append(seed)
        failure = self._failures.pop(0) if self._failures else None
        if failure:
            raise failure
        return Response(f"made {len(self.seeds)} ä", 201, {"ETag": '"1"'}, "text/plain")


@pytest.fixture
def once(store: Redis, caller: Identity) -> Callable[..., Response]:
    service = Idempotency(store)

    def run(work: Callable[[str], Response], key: str | None = "k", payload: object = 1) -> Response:
        return service.once(caller, ROUTE, key, {"a": payload}, work)

    return run


def test_without_a_key_the_work_is_done_each_time(once: Callable[..., Response]) -> None:
    work = Work()
    bodies = [once(work, None).body for _ in range(2)]
    assert bodies[0] != bodies[1]
    assert len(set(work.seeds)) == 2


def test_the_first_answer_comes_again(once: Callable[..., Response]) -> None:
    work = Work()
    first, again = once(work), once(work)
    assert (again.status_code, again.body) == (first.status_code, first.body)
    assert again.headers["etag"] == '"1"'
    assert again.headers["content-type"] == first.headers["content-type"]
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert len(work.seeds) == 1


def test_a_revoked_token_is_not_answered_again(once: Callable[..., Response], store: Redis, caller: Identity) -> None:
    once(Work())
    Revocations(store, caller.scope).block(caller.user)
    with pytest.raises(InvalidToken):
        once(Work())


def test_another_payload_under_the_key_is_refused(once: Callable[..., Response]) -> None:
    once(Work())
    with pytest.raises(IdempotencyMismatch):
        once(Work(), payload=2)


def test_a_duplicate_of_a_running_request_is_told_to_wait(once: Callable[..., Response]) -> None:
    def impatient(_: str) -> Response:
        with pytest.raises(IdempotencyInFlight) as caught:
            once(Work())
        assert caught.value.retry_after == 1
        return Response("done")

    assert once(impatient).body == b"done"


def test_keys_of_other_users_tenants_and_routes_are_others(store: Redis, caller: Identity) -> None:
    service, work = Idempotency(store), Work()
    for who, route in ((caller, ROUTE), (caller, "POST /others"), (replace(caller, user="bob"), ROUTE)):
        service.once(who, route, "k", {}, work)
    assert len(work.seeds) == 3


def test_after_a_crash_the_next_attempt_continues_with_the_same_seed(store: Redis, caller: Identity) -> None:
    clock = [1_000_000.0]
    service, work = Idempotency(store, lambda: clock[0]), Work(SystemExit())  # type: ignore[arg-type]
    with pytest.raises(SystemExit):
        service.once(caller, ROUTE, "k", {}, work)
    clock[0] += LOCK_MS / 1000 - 1
    with pytest.raises(IdempotencyInFlight):
        service.once(caller, ROUTE, "k", {}, work)
    clock[0] += 2
    service.once(caller, ROUTE, "k", {}, work)
    assert work.seeds[0] == work.seeds[1]


@pytest.mark.parametrize("failure", [OutcomeUnknown("lost"), RuntimeError("bug")])
def test_after_an_unknown_outcome_a_repetition_runs_at_once_with_the_same_seed(
    once: Callable[..., Response], failure: Exception
) -> None:
    work = Work(failure)
    with pytest.raises(type(failure)):
        once(work)
    assert once(work).status_code == 201
    assert work.seeds[0] == work.seeds[1]


def test_a_refusal_is_not_kept_so_that_the_caller_can_correct_himself(once: Callable[..., Response]) -> None:
    with pytest.raises(Conflict):
        once(Work(Conflict()))
    assert once(Work(), payload=2).status_code == 201


@pytest.mark.parametrize("key", ["", "a" * 256, "ä", "a b", "a\n"])
def test_a_key_is_visible_ascii(once: Callable[..., Response], key: str) -> None:
    with pytest.raises(Invalid):
        once(Work(), key)


def test_the_record_lives_for_a_day(
    once: Callable[..., Response], redis_direct: "redis.Redis", caller: Identity
) -> None:
    once(Work())
    key = str(caller.scope.key("idem", "ann", ROUTE, "k"))
    assert KEEP_MS - 60_000 < redis_direct.pttl(key) <= KEEP_MS


@pytest.mark.parametrize("failure", [None, OutcomeUnknown("lost")])
def test_a_record_that_is_gone_when_the_work_is_done_does_not_come_back_for_ever(
    once: Callable[..., Response], redis_direct: "redis.Redis", caller: Identity, failure: Exception | None
) -> None:
    key = str(caller.scope.key("idem", "ann", ROUTE, "k"))

    def work(seed: str) -> Response:
        redis_direct.delete(key)
        return Work(failure)(seed)

    with contextlib.suppress(OutcomeUnknown):
        once(work)
    assert redis_direct.exists(key) == 0
