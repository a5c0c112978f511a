"""The real `supabase` client against the issuer, as an app and its backend use it."""

from collections.abc import Iterator

import jwt
import pytest
from supabase import Client, create_client
from supabase_auth.errors import AuthApiError, AuthWeakPasswordError

from local.issuer import ThreadedIssuer


@pytest.fixture
def app(issuer: ThreadedIssuer) -> Iterator[Client]:
    yield from closing_client(issuer.url, issuer.anon_key)


@pytest.fixture
def backend(issuer: ThreadedIssuer) -> Iterator[Client]:
    yield from closing_client(issuer.url, issuer.service_key)


def closing_client(url: str, key: str) -> Iterator[Client]:
    client = create_client(url, key)
    yield client
    client.auth.close()


def test_a_new_user_signs_up_signs_in_and_refreshes(app: Client, issuer: ThreadedIssuer, email: str) -> None:
    created = app.auth.sign_up({"email": email, "password": "correct horse", "options": {"data": {"nick": "al"}}})
    assert created.session is not None
    assert created.user is not None
    assert created.user.user_metadata["nick"] == "al"
    signed_in = app.auth.sign_in_with_password({"email": email.upper(), "password": "correct horse"})
    assert signed_in.session is not None
    refreshed = app.auth.refresh_session()
    assert refreshed.session is not None
    assert refreshed.session.refresh_token != signed_in.session.refresh_token
    seen = app.auth.get_user()
    assert seen is not None
    assert seen.user.id == created.user.id
    claims = app.auth.get_claims()
    assert claims is not None
    assert claims["claims"]["sub"] == created.user.id
    assert claims["claims"]["iss"] == f"{issuer.url}/auth/v1"


def test_an_access_token_has_exactly_supabases_claims(issuer: ThreadedIssuer, app: Client, email: str) -> None:
    user = issuer.add_user(email, "password", {"tenant_id": "acme", "permissions": ["read"]})
    session = app.auth.sign_in_with_password({"email": email, "password": "password"}).session
    assert session is not None
    key = jwt.PyJWKClient(f"{issuer.url}/auth/v1/.well-known/jwks.json").get_signing_key_from_jwt(session.access_token)
    claims = jwt.decode(session.access_token, key, ["ES256"], audience="authenticated", issuer=f"{issuer.url}/auth/v1")
    assert claims.pop("exp") - claims["iat"] == 3600
    assert claims.pop("session_id")
    assert claims.pop("amr") == [{"method": "password", "timestamp": claims.pop("iat")}]
    assert claims == {
        "iss": f"{issuer.url}/auth/v1",
        "sub": user["id"],
        "aud": "authenticated",
        "email": email,
        "phone": "",
        "app_metadata": {
            "provider": "email",
            "providers": ["email"],
            "tenant_id": "acme",
            "permissions": ["read"],
        },
        "user_metadata": {"email_verified": True},
        "role": "authenticated",
        "aal": "aal1",
        "is_anonymous": False,
    }


def test_what_a_stranger_sends_is_refused_with_supabases_codes(app: Client, issuer: ThreadedIssuer, email: str) -> None:
    issuer.add_user(email, "password")
    with pytest.raises(AuthApiError) as wrong:
        app.auth.sign_in_with_password({"email": email, "password": "guess"})
    with pytest.raises(AuthApiError) as twice:
        app.auth.sign_up({"email": email, "password": "another one"})
    with pytest.raises(AuthWeakPasswordError) as weak:
        app.auth.sign_up({"email": "x" + email, "password": "short"})
    assert (wrong.value.code, wrong.value.status) == ("invalid_credentials", 400)
    assert (twice.value.code, twice.value.status) == ("user_already_exists", 422)
    assert weak.value.reasons == ["length"]


def test_users_change_their_own_metadata_but_never_app_metadata(
    app: Client, issuer: ThreadedIssuer, email: str
) -> None:
    issuer.add_user(email, "password", {"tenant_id": "acme"})
    app.auth.sign_in_with_password({"email": email, "password": "password"})
    assert app.auth.update_user({"data": {"tenant_id": "globex"}}).user.app_metadata["tenant_id"] == "acme"
    with pytest.raises(AuthApiError) as refused:
        app.auth.update_user({"app_metadata": {"tenant_id": "globex"}})  # type: ignore[typeddict-unknown-key]
    assert refused.value.code == "not_admin"
    with pytest.raises(AuthApiError) as same:
        app.auth.update_user({"password": "password"})
    assert same.value.code == "same_password"


def test_a_backend_manages_users(backend: Client, app: Client, email: str) -> None:
    admin = backend.auth.admin
    made = admin.create_user({"email": email, "password": "password", "email_confirm": True}).user
    assert made.id in {user.id for user in admin.list_users(page=1, per_page=1000)}
    changed = admin.update_user_by_id(made.id, {"app_metadata": {"tenant_id": "t1"}}).user
    assert changed.app_metadata["tenant_id"] == "t1"
    admin.update_user_by_id(made.id, {"ban_duration": "24h"})
    with pytest.raises(AuthApiError) as banned:
        app.auth.sign_in_with_password({"email": email, "password": "password"})
    assert banned.value.code == "user_banned"
    admin.update_user_by_id(made.id, {"ban_duration": "none"})
    app.auth.sign_in_with_password({"email": email, "password": "password"})
    admin.delete_user(made.id)
    with pytest.raises(AuthApiError) as gone:
        admin.get_user_by_id(made.id)
    assert (gone.value.code, gone.value.status) == ("user_not_found", 404)


def test_the_publishable_key_and_users_are_no_administrators(app: Client, issuer: ThreadedIssuer, email: str) -> None:
    with pytest.raises(AuthApiError) as anonymous:
        app.auth.admin.list_users()
    assert anonymous.value.code == "not_admin"


def test_sign_out_ends_the_session_at_once_but_not_the_token(app: Client, issuer: ThreadedIssuer, email: str) -> None:
    issuer.add_user(email, "password")
    session = app.auth.sign_in_with_password({"email": email, "password": "password"}).session
    assert session is not None
    app.auth.sign_out()
    with pytest.raises(AuthApiError) as ended:
        app.auth.get_user(session.access_token)
    assert ended.value.code == "session_not_found"
    assert app.auth.get_claims(session.access_token) is not None
    with pytest.raises(AuthApiError) as spent:
        app.auth.refresh_session(session.refresh_token)
    assert str(spent.value.code) == "refresh_token_not_found"


def test_minted_tokens_verify_like_issued_ones(app: Client, issuer: ThreadedIssuer) -> None:
    claims = app.auth.get_claims(issuer.mint(app_metadata={"tenant_id": "t9"}))
    assert claims is not None
    assert dict(claims["claims"])["app_metadata"] == {"tenant_id": "t9"}


def test_a_backend_makes_a_link_that_signs_its_user_in(
    backend: Client, app: Client, issuer: ThreadedIssuer, email: str
) -> None:
    issuer.add_user(email)
    link = backend.auth.admin.generate_link({"type": "magiclink", "email": email}).properties
    signed_in = app.auth.verify_otp({"type": "magiclink", "token_hash": link.hashed_token})
    assert signed_in.session is not None
    assert signed_in.session.user.email == email
