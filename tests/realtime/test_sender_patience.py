"""How long the sender waits for whom: one bad connection is not worth the others' time, a slow gateway is."""

import threading
import time

import pytest

from shared.aws.credentials import Credentials
from shared.aws.sigv4 import Signer
from shared.realtime import sender as module
from shared.realtime.sender import Outcome, Post, Sender
from tests.support.connections import RecordingConnections, hanging

SIGNER = Signer(Credentials("a", "b"), "us-east-1", "execute-api")
CROWD = [f"c{i}" for i in range(12)]


def outcomes(sent: RecordingConnections, names: list[str], *, within_s: float = 10, hung_ms: int = 60) -> list[Outcome]:
    sender = Sender(sent.url, SIGNER, concurrency=8, timeout_ms=5_000, hung_ms=hung_ms)
    report = sender.post([Post(name, [b'{"n":1}']) for name in names], time.monotonic() + within_s)
    return [report.outcomes[name] for name in names]


def test_a_call_that_hangs_while_others_are_answered_is_given_up(sent: RecordingConnections) -> None:
    """Were it waited for, it would be answered."""
    answered = threading.Event()
    sent.answers["bad"] = lambda body: 200 + 0 * answered.wait(3)
    assert outcomes(sent, ["bad", *CROWD]) == [Outcome.UNKNOWN, *[Outcome.DELIVERED] * len(CROWD)]
    answered.set()


def test_when_hardly_anything_is_answered_the_gateway_is_slow_and_waited_for(sent: RecordingConnections) -> None:
    for name in CROWD:
        sent.answers[name] = hanging(0.3)
    assert set(outcomes(sent, CROWD[:8])) == {Outcome.DELIVERED}


def test_a_single_connection_has_the_whole_timeout(sent: RecordingConnections) -> None:
    sent.answers["c"] = hanging(0.3)
    assert outcomes(sent, ["c"]) == [Outcome.DELIVERED]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SLOW_AFTER_S", 0.1)


@pytest.mark.usefixtures("impatient")
def test_who_alone_is_throttled_all_the_time_does_not_read(sent: RecordingConnections) -> None:
    sent.answers["bad"] = 429
    assert outcomes(sent, ["bad", *CROWD], within_s=0.5) == [Outcome.SLOW, *[Outcome.DELIVERED] * len(CROWD)]


@pytest.mark.usefixtures("impatient")
def test_where_many_are_throttled_it_is_the_account(sent: RecordingConnections) -> None:
    for name in CROWD[:4]:
        sent.answers[name] = 429
    assert outcomes(sent, CROWD, within_s=0.5) == [Outcome.UNSENT] * 4 + [Outcome.DELIVERED] * 8


def test_who_was_throttled_for_a_moment_only_is_not_slow(sent: RecordingConnections) -> None:
    sent.answers["bad"] = 429
    assert outcomes(sent, ["bad", *CROWD], within_s=0.2)[0] is Outcome.UNSENT


@pytest.mark.parametrize("answer", [200, 429, 500, 413, 403])
def test_a_socket_is_closed_whatever_becomes_of_the_farewell(sent: RecordingConnections, answer: int) -> None:
    sent.answers["c"] = answer
    report = Sender(sent.url, SIGNER, concurrency=8, timeout_ms=500).close(["c"], b'{"bye":1}')
    assert sent.closed == ["c"]
    assert report.accepted == (answer == 200) == len(sent.frames("c"))


def test_a_farewell_that_hangs_leaves_time_for_the_deletion(sent: RecordingConnections) -> None:
    ended = threading.Event()
    sent.answers["c"] = lambda body: 200 + 0 * ended.wait(10)
    sent.refused_closings = 2
    Sender(sent.url, SIGNER, concurrency=8, timeout_ms=5_000).close(["c"], b'{"bye":1}')
    assert sent.closed == ["c"]
    ended.set()


def test_accepted_frames_are_counted_and_nothing_else(sent: RecordingConnections) -> None:
    sent.answers |= {"gone": 410, "doubtful": 500, "half": lambda body: 200 if "1" in body else 410}
    sender = Sender(sent.url, SIGNER, concurrency=8, timeout_ms=500)
    two = [b'{"n":1}', b'{"n":2}']
    report = sender.post([Post(name, two) for name in ("gone", "doubtful", "half", "fine")], time.monotonic() + 2)
    assert report.accepted == 3 == sum(sent.posts(name) for name in ("gone", "doubtful", "half", "fine"))
