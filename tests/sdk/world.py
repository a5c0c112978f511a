"""What a scenario is given, in both SDKs: addresses, tokens and names that no other scenario uses."""

import secrets
from dataclasses import dataclass

from tests.support.minting import claims_of, with_life
from tests.support.stack import ALICE, AMIR, BOB, Stack


@dataclass(frozen=True)
class World:
    """amir reads and writes, alice is admin; `expired` and `short` (a few seconds) are tokens of amir's."""

    url: str
    http: str
    amir: str
    alice: str
    expired: str
    short: str
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
        user = str(claims_of(amir)["sub"])
        return World(
            url=stack.websocket,
            http=stack.http,
            amir=amir,
            alice=self._tokens[ALICE],
            expired=with_life(stack, amir, -60),
            short=with_life(stack, amir, 4),
            amir_id=user,
            personal=f"user:{user}",
            channel=f"chat:{secrets.token_hex(6)}",
            own_session=self._session(AMIR),
            foreign_session=self._session(BOB),
        )

    def _session(self, email: str) -> str:
        with self._stack.api(self._tokens[email]) as api:
            created = api.post("/sessions", json={"data": {}, "ttl_seconds": 600}).raise_for_status()
        return str(created.json()["id"])
