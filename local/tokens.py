"""Signs a user in at the running stack's issuer, over HTTP like any client."""

import json
import urllib.error
import urllib.request

from local.refused import Refused

_TIMEOUT_S = 10


class SignInRefused(Refused):
    """The issuer's own words."""


def access_token(supabase_url: str, anon_key: str, email: str, password: str) -> str:
    """A fresh access token, good for an hour; `SignInRefused` when nobody answers or the password is wrong."""
    request = urllib.request.Request(  # noqa: S310 (an address that the stack itself wrote down)
        f"{supabase_url}/auth/v1/token?grant_type=password",
        data=json.dumps({"email": email, "password": password}).encode(),
        headers={"apikey": anon_key, "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
            return str(json.load(answer)["access_token"])
    except urllib.error.HTTPError as error:
        with error:
            told = json.loads(error.read() or b"{}")
        raise SignInRefused(f"{email}: {told.get('msg') or told.get('message') or error.reason}") from error
    except OSError as error:
        raise SignInRefused(f"the issuer at {supabase_url} does not answer: {error}") from error
