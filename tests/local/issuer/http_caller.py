"""Raw HTTP to the issuer: what the client libraries hide or would never send."""

from collections.abc import Mapping
from typing import Any

import httpx

from local.issuer import ThreadedIssuer

VERSIONED = {"X-Supabase-Api-Version": "2024-01-01"}


class HttpCaller:
    """Calls below `/auth/v1` with the publishable key, or with `apikey` or none (`""`)."""

    def __init__(self, issuer: ThreadedIssuer) -> None:
        self._issuer = issuer
        self._client = httpx.Client(base_url=f"{issuer.url}/auth/v1", timeout=10)

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        bearer: str = "",
        apikey: str | None = None,
        headers: Mapping[str, str] | None = None,
        raw: Mapping[bytes, bytes] | None = None,
    ) -> httpx.Response:
        """`raw`: headers that are no text."""
        key = self._issuer.anon_key if apikey is None else apikey
        sent = {"apikey": key} if key else {}
        if bearer:
            sent["Authorization"] = f"Bearer {bearer}"
        encoded = {name.encode(): value.encode() for name, value in {**sent, **(headers or {})}.items()}
        return self._client.request(method, path, json=body, headers={**encoded, **(raw or {})})

    def post(self, path: str, body: object = None, **rest: Any) -> httpx.Response:
        return self.send("POST", path, body, **rest)

    def get(self, path: str, **rest: Any) -> httpx.Response:
        return self.send("GET", path, **rest)

    def close(self) -> None:
        self._client.close()
