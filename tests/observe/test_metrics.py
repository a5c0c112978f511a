"""One line an invocation, in CloudWatch's embedded metric format."""

import json
from typing import Any

import pytest

from shared.observe import metrics


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture(autouse=True)
def _named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "traffic-cop-dev-deliver")
    metrics.flush()
    capsys.readouterr()


def test_an_invocation_writes_what_it_counted_once(capsys: pytest.CaptureFixture[str]) -> None:
    @metrics.measured
    def handler(amount: int) -> int:
        metrics.count(delivered=amount, gone=0)
        metrics.count(delivered=2)
        return amount

    assert [handler(1), handler(5)] == [1, 5]
    first, second = lines(capsys)
    assert (first["Delivered"], second["Delivered"]) == (3, 7)
    assert "Gone" not in first
    (directive,) = first["_aws"]["CloudWatchMetrics"]
    assert directive == {
        "Namespace": "TrafficCop",
        "Dimensions": [["FunctionName"]],
        "Metrics": [{"Name": "Delivered", "Unit": "Count"}],
    }
    assert first["FunctionName"] == "traffic-cop-dev-deliver"
    assert isinstance(first["_aws"]["Timestamp"], int)


def test_an_invocation_that_fails_writes_them_too(capsys: pytest.CaptureFixture[str]) -> None:
    @metrics.measured
    def handler() -> None:
        metrics.count(gone=1)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        handler()
    assert [line["Gone"] for line in lines(capsys)] == [1]


def test_who_counted_nothing_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    metrics.measured(lambda: metrics.count(delivered=0))()
    assert lines(capsys) == []
