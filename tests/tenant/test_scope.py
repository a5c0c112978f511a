"""No two things share a key, and nobody but the auth layer opens a scope."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.state.keys import SEAL, Key
from shared.tenant.scope import SCOPE_SEAL, TenantScope, is_tenant_id

tenants = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
kinds = st.sampled_from(["session", "sessions", "user", "ch", "log", "idem"])
parts = st.lists(st.text(st.sampled_from("ab:%3A{}t"), max_size=6) | st.text(max_size=6), max_size=4)
addresses = st.tuples(tenants, kinds, parts)


@given(addresses, addresses)
def test_distinct_things_have_distinct_keys(one: tuple[str, str, list[str]], other: tuple[str, str, list[str]]) -> None:
    keys = [TenantScope(t, SCOPE_SEAL).key(kind, *names) for t, kind, names in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)


@given(addresses)
def test_all_keys_of_a_tenant_share_its_hash_tag(address: tuple[str, str, list[str]]) -> None:
    tenant, kind, names = address
    name = str(TenantScope(tenant, SCOPE_SEAL).key(kind, *names))
    assert name[name.index("{") + 1 : name.index("}")] == f"t:{tenant}"


@pytest.mark.parametrize("tenant", ["", "a" * 65, "a:b", "a}b", "a b", "ä", "a\n", None, 5])
def test_what_is_no_tenant_id_opens_no_scope(tenant: object) -> None:
    assert not is_tenant_id(tenant)
    with pytest.raises(ValueError, match="not a tenant id"):
        TenantScope(tenant, SCOPE_SEAL)  # type: ignore[arg-type]


def test_a_scope_and_a_key_need_their_seals() -> None:
    with pytest.raises(TypeError):
        TenantScope("acme", object())  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Key("{t:acme}:x", object())  # type: ignore[arg-type]


def test_scopes_and_keys_are_values() -> None:
    assert TenantScope("acme", SCOPE_SEAL) == TenantScope("acme", SCOPE_SEAL)
    assert TenantScope("acme", SCOPE_SEAL) != TenantScope("globex", SCOPE_SEAL)
    assert len({TenantScope("acme", SCOPE_SEAL), TenantScope("acme", SCOPE_SEAL)}) == 1
    assert len({Key("a", SEAL), Key("a", SEAL)}) == 1


@pytest.mark.parametrize("part", ["", "a/b", "ä", "a b", "../x:y"])
def test_user_text_is_no_object_key(part: str) -> None:
    with pytest.raises(ValueError, match="ids"):
        TenantScope("acme", SCOPE_SEAL).object_key("clean", part)
