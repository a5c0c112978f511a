"""What a scenario is given, in both SDKs: addresses, tokens and names that no other scenario uses."""

import secrets
from dataclasses import dataclass

from tests.support.minting import claims_of, with_life
from tests.support.stack import ALICE, AMIR, BOB, Stack
from tests.support.subscription import subscription_token


@dataclass(frozen=True)
class World:
    """amir reads and writes, alice is admin; `expired`, `short` (a few seconds) and `writer` (may not read) are amir's.

    `subscription_tokens` let him into `channel`: an expired one, a short one, a long one.
    """

    url: str
    http: str
    amir: str
    alice: str
    expired: str
    short: str
    writer: str
    subscription_tokens: list[str]
    amir_id: str
    personal: str
    channel: str
    own_session: str
    foreign_session: str


class Worlds:
    """Signs in once and makes a world for each scenario."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._tokens = {email: stack.token(email) for email in (ALICE, AMIR, BOB)}

    def make(self) -> World:
        stack, amir = self._stack, self._tokens[AMIR]
        user, channel = str(claims_of(amir)["sub"]), f"chat:{secrets.token_hex(6)}"
        return World(
            url=stack.websocket,
            http=stack.http,
            amir=amir,
            alice=self._tokens[ALICE],
            expired=with_life(stack, amir, -60),
            short=with_life(stack, amir, 4),
            writer=with_life(stack, amir, 3600, permissions=["write"]),
            subscription_tokens=[subscription_token("local", "acme", user, channel, ttl_s) for ttl_s in (-60, 3, 600)],
            amir_id=user,
            personal=f"user:{user}",
            channel=channel,
            own_session=self._session(AMIR),
            foreign_session=self._session(BOB),
        )

    def _session(self, email: str) -> str:
        with self._stack.api(self._tokens[email]) as api:
            created = api.post("/sessions", json={"data": {}, "ttl_seconds": 600}).raise_for_status()
        return str(created.json()["id"])
