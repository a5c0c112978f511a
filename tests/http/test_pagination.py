"""A cursor fits the list that it came from, and no other."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Invalid
from shared.http.pagination import Cursors
from shared.settings import Settings
from shared.tenant.scope import SCOPE_SEAL, TenantScope

ACME, GLOBEX = (TenantScope(name, SCOPE_SEAL) for name in ("acme", "globex"))
cursors = Cursors("secret")


@given(st.text(min_size=1, max_size=80).filter(lambda text: text.isprintable()))
def test_a_position_comes_back(position: str) -> None:
    signed = cursors.signed(ACME, {"owner": None}, position)
    assert cursors.position(ACME, {"owner": None}, signed) == position
    assert signed.isascii()
    assert "=" not in signed


def test_no_cursor_is_the_beginning() -> None:
    assert cursors.position(ACME, {}, None) == cursors.position(ACME, {}, "") == ""


def test_a_cursor_of_another_tenant_filter_or_secret_is_refused() -> None:
    signed = cursors.signed(ACME, {"owner": "ann"}, "p")
    for reader, scope, filters in (
        (cursors, GLOBEX, {"owner": "ann"}),
        (cursors, ACME, {"owner": "bob"}),
        (cursors, ACME, {}),
        (Cursors("other"), ACME, {"owner": "ann"}),
    ):
        with pytest.raises(Invalid):
            reader.position(scope, filters, signed)


@given(st.integers(0, 18), st.integers(1, 255))
def test_a_changed_cursor_is_refused(place: int, change: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(cursors.signed(ACME, {}, "abc") + "=="))
    raw[place] ^= change
    with pytest.raises(Invalid):
        cursors.position(ACME, {}, base64.urlsafe_b64encode(raw).decode())


@given(st.text(min_size=1))
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        cursors.position(ACME, {}, text)


def test_environments_without_a_secret_share_the_stores_token() -> None:
    one, other = (Cursors.from_settings(Settings(upstash_redis_rest_token=token)) for token in ("a", "b"))
    signed = one.signed(ACME, {}, "p")
    assert Cursors.from_settings(Settings(upstash_redis_rest_token="a")).position(ACME, {}, signed) == "p"
    with pytest.raises(Invalid):
        other.position(ACME, {}, signed)
