"""API keys: shown once, kept as a hash, the same answer for everything that is not a key."""

from collections.abc import Iterator

import pytest
import redis

from local.redis import ThreadedUpstash
from shared.auth.api_keys import MAX_KEYS, ApiKeys, main
from shared.auth.identity import Permission
from shared.errors import InvalidApiKey, LimitReached
from shared.settings import settings
from shared.state.client import Redis
from shared.tenant.scope import TenantScope


@pytest.fixture
def keys(store: Redis) -> ApiKeys:
    return ApiKeys(store)


def test_a_key_identifies_its_tenant_and_permissions(keys: ApiKeys, scope: TenantScope) -> None:
    key, record = keys.create(scope, "backend", [Permission.WRITE])
    identity = keys.identify(key)
    assert identity.scope == scope
    assert identity.permissions == {Permission.WRITE}
    assert identity.source == "api_key"
    assert keys.list(scope) == [record]


def test_the_key_itself_is_not_kept(keys: ApiKeys, scope: TenantScope, redis_direct: "redis.Redis") -> None:
    key, _ = keys.create(scope, "backend", [Permission.READ])
    held = redis_direct.hgetall(str(scope.key("keys")))
    assert key.rpartition("_")[2] not in str(held)


def test_a_later_version_of_the_code_may_record_more(
    keys: ApiKeys, scope: TenantScope, redis_direct: "redis.Redis"
) -> None:
    key, record = keys.create(scope, "backend", [Permission.READ])
    held: dict[str, str] = redis_direct.hgetall(str(scope.key("keys")))  # type: ignore[assignment]
    for digest, text in held.items():
        redis_direct.hset(str(scope.key("keys")), digest, text[:-1] + ', "last_used": 1}')
    assert keys.list(scope) == [record]
    assert keys.identify(key).permissions == {Permission.READ}


def test_a_revoked_key_is_no_key(keys: ApiKeys, scope: TenantScope) -> None:
    key, record = keys.create(scope, "backend", [Permission.READ])
    assert keys.revoke(scope, record.id)
    assert not keys.revoke(scope, record.id)
    with pytest.raises(InvalidApiKey):
        keys.identify(key)


SECRET = "0123456789abcdef" * 3
NO_KEYS = ["", "tck_", "tck__", "tck_acme", f"tck_acme_{SECRET[1:]}", f"tck_acme_{SECRET}0", f"tck_acme_{SECRET}\n"]
NO_KEYS += [f"tck_a b_{SECRET}", f"tck__{SECRET}", f"TCK_acme_{SECRET}", f"tck_{'a' * 65}_{SECRET}", f"tck_ä_{SECRET}"]
NO_KEYS += [f"tck_acme_{SECRET}", f"tck_acme_{SECRET.upper()}", f"tck_acme*_{SECRET}"]


@pytest.mark.parametrize("key", NO_KEYS)
def test_what_is_no_key_is_refused(keys: ApiKeys, key: str) -> None:
    with pytest.raises(InvalidApiKey):
        keys.identify(key)


def test_unknown_tenants_and_unknown_keys_get_the_same_answer(keys: ApiKeys, scope: TenantScope) -> None:
    keys.create(scope, "backend", [Permission.READ])
    answers = set()
    for key in (f"tck_{scope.label}_{SECRET}", f"tck_nobody_{SECRET}", "nonsense"):
        with pytest.raises(InvalidApiKey) as refused:
            keys.identify(key)
        answers.add((str(refused.value), refused.value.detail, refused.value.status))
    assert len(answers) == 1


def test_identifying_costs_one_command(keys: ApiKeys, scope: TenantScope, upstash: ThreadedUpstash) -> None:
    key, _ = keys.create(scope, "backend", [Permission.READ])
    with upstash.counting() as counted:
        keys.identify(key)
    assert (counted.round_trips, counted.commands) == (1, 1)


def test_a_tenant_has_at_most_a_hundred_keys(keys: ApiKeys, scope: TenantScope) -> None:
    made = [keys.create(scope, f"key {i}", [Permission.READ])[1] for i in range(MAX_KEYS)]
    with pytest.raises(LimitReached):
        keys.create(scope, "one more", [Permission.READ])
    keys.revoke(scope, made[0].id)
    keys.create(scope, "another", [Permission.READ])


def test_permissions_that_no_longer_exist_grant_nothing(
    keys: ApiKeys, scope: TenantScope, redis_direct: "redis.Redis"
) -> None:
    key, _ = keys.create(scope, "backend", [Permission.READ])
    held = str(scope.key("keys"))
    for digest, record in redis_direct.hgetall(held).items():
        redis_direct.hset(held, digest, str(record).replace('"read"', '"fly"'))
    assert keys.identify(key).permissions == frozenset()


def test_a_key_of_one_tenant_is_none_of_another(keys: ApiKeys, scope: TenantScope) -> None:
    key, _ = keys.create(scope, "backend", [Permission.READ])
    with pytest.raises(InvalidApiKey):
        keys.identify(key.replace(scope.label, "acme"))


@pytest.fixture
def environment(upstash: ThreadedUpstash, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("UPSTASH_REDIS_REST_URL", upstash.rest_url)
    monkeypatch.setenv("UPSTASH_REDIS_REST_TOKEN", upstash.token)
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.usefixtures("environment")
def test_a_key_is_made_on_the_command_line(
    keys: ApiKeys, scope: TenantScope, capsys: pytest.CaptureFixture[str]
) -> None:
    main([scope.label])
    main([scope.label, "read", "write", "--name", "reader"])
    first, second = (keys.identify(key) for key in capsys.readouterr().out.split())
    assert {first.scope, second.scope} == {scope}
    assert first.permissions == {Permission.ADMIN}
    assert second.permissions == {Permission.READ, Permission.WRITE}
    assert {key.name for key in keys.list(scope)} == {"", "reader"}


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("arguments", [[], ["a b"], ["acme", "fly"]], ids=" ".join)
def test_what_can_be_no_key_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert capsys.readouterr().out == ""


def test_without_redis_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("UPSTASH_REDIS_REST_URL", "http://127.0.0.1:9")
    settings.cache_clear()
    with pytest.raises(SystemExit, match="2"):
        main(["acme"])
    settings.cache_clear()
    assert "error: " in capsys.readouterr().err
