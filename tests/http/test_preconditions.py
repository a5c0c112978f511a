"""If-Match and If-None-Match by RFC 9110."""

import pytest

from shared.http.preconditions import is_unchanged, matches


@pytest.mark.parametrize(
    ("header", "fits"),
    [('"3"', True), ("3", True), ("*", True), ('"1", "3"', True), ('"33"', False), ('W/"3"', False), ("", False)],
)
def test_if_match_compares_strongly(header: str, fits: bool) -> None:
    condition = matches(header)
    assert condition is not None
    assert condition('"3"') is fits


def test_no_header_is_no_condition() -> None:
    assert matches(None) is None
    assert not is_unchanged(None, '"3"')


@pytest.mark.parametrize(
    ("header", "unchanged"),
    [('"3"', True), ('W/"3"', True), ("*", True), ('"1",W/"3"', True), ('"33"', False), ("", False)],
)
def test_if_none_match_compares_weakly(header: str, unchanged: bool) -> None:
    assert is_unchanged(header, '"3"') is unchanged
