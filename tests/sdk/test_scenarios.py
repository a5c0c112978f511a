"""The stock SDKs, unchanged, against the running stack: scenarios.py says what must come out."""

import pytest

from tests.sdk.running import RUN, skip_unless_installed
from tests.sdk.scenarios import SCENARIOS, Scenario
from tests.sdk.world import Worlds
from tests.support.stack import Stack


@pytest.fixture(scope="module")
def worlds(stack: Stack) -> Worlds:
    return Worlds(stack)


@pytest.mark.parametrize(
    ("sdk", "scenario"),
    [(sdk, scenario) for scenario in SCENARIOS for sdk in scenario.sdks],
    ids=[f"{sdk}-{scenario.name}" for scenario in SCENARIOS for sdk in scenario.sdks],
)
def test_a_stock_sdk_sees_what_centrifugo_would_show(sdk: str, scenario: Scenario, worlds: Worlds) -> None:
    skip_unless_installed(sdk)
    assert RUN[sdk](scenario.name, worlds.make()) == scenario.expected, scenario.promise
