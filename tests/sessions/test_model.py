"""Random lives of two tenants' sessions against a model of a few lines: what everybody sees, counts and may do."""

import json
import secrets
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from shared.errors import Conflict, NotFound, PermissionDenied
from shared.sessions.listing import Wanted
from shared.sessions.merge import merged
from shared.sessions.model import TOMBSTONE_MS, Access
from shared.sessions.service import NewSession
from tests.sessions.conftest import Team

USERS = ("ann", "bob", "cat")
users = st.sampled_from(USERS)
shares = st.sampled_from([None, "read", "write"])
accesses = st.builds(Access, shares, st.dictionaries(users, st.sampled_from(["read", "write"]), max_size=2))
patches = st.dictionaries(st.sampled_from("abc"), st.none() | st.integers(0, 9), max_size=2)


@dataclass
class Expected:
    """What the model knows of a session; times in seconds of the test's clock."""

    tenant: int
    owner: str
    data: dict[str, Any]
    access: Access
    touched: float
    ttl: float
    status: str = "active"
    version: int = 1
    deleted: bool = False
    events: list[str] = field(default_factory=lambda: ["session.created"])

    def may(self, user: str, what: str) -> bool:
        given = {self.access.tenant, self.access.users.get(user)}
        return user == self.owner or "write" in given or (what == "read" and "read" in given)


class Lives(RuleBasedStateMachine):
    """Time moves in steps that never end at a deadline."""

    team: Team
    sessions = Bundle("sessions")

    def __init__(self) -> None:
        super().__init__()
        mine = replace(self.team.other_tenant(), clock=[0.0])
        self.teams = (mine, replace(mine.other_tenant(), clock=mine.clock))
        self.known: dict[str, Expected] = {}

    @property
    def time(self) -> float:
        return self.teams[0].clock[0]

    @rule(target=sessions, tenant=st.integers(0, 1), user=users, access=accesses, ttl=st.sampled_from([100, 1000]))
    def create(self, tenant: int, user: str, access: Access, ttl: int) -> str:
        team = self.teams[tenant]
        new = NewSession(data={}, ttl_s=ttl, lifetime_s=10_000, access=access)
        session = team.sessions.create(team.identity(user), new, secrets.token_hex(16))
        self.known[session.id] = Expected(tenant, user, {}, access, self.time, ttl)
        return session.id

    @rule(seconds=st.sampled_from([7.5, 60.5, 500.5, 90_000.5]))
    def time_passes(self, seconds: float) -> None:
        self.teams[0].clock[0] += seconds

    @rule(tenant=st.integers(0, 1))
    def sweep(self, tenant: int) -> None:
        team = self.teams[tenant]
        while team.expiry.expire_due(team.scope, team.now_ms(), 3):
            continue
        for session in self.known.values():
            if session.tenant == tenant:
                self._swept(session)

    @rule(session_id=sessions, tenant=st.integers(0, 1), user=users, patch=patches)
    def patch(self, session_id: str, tenant: int, user: str, patch: dict[str, Any]) -> None:
        team = self.teams[tenant]
        refusal = self._refusal(session_id, tenant, user, "write")
        if refusal is not None:
            with pytest.raises(refusal):
                team.sessions.patch(team.identity(user), session_id, patch, None)
            return
        after = team.sessions.patch(team.identity(user), session_id, patch, None)
        session = self.known[session_id]
        session.data = merged(session.data, patch)
        self._changed(session, "session.updated")
        session.touched = self.time
        assert json.loads(after.data) == session.data

    @rule(session_id=sessions, tenant=st.integers(0, 1), user=users, access=accesses)
    def share(self, session_id: str, tenant: int, user: str, access: Access) -> None:
        team = self.teams[tenant]
        refusal = self._refusal(session_id, tenant, user, "own")
        if refusal is not None:
            with pytest.raises(refusal):
                team.sessions.share(team.identity(user), session_id, lambda _: access, None)
            return
        team.sessions.share(team.identity(user), session_id, lambda _: access, None)
        self.known[session_id].access = access
        self._changed(self.known[session_id], "session.updated")

    @rule(session_id=sessions, tenant=st.integers(0, 1), user=users, deletes=st.booleans())
    def end_or_delete(self, session_id: str, tenant: int, user: str, deletes: bool) -> None:
        team, session = self.teams[tenant], self.known[session_id]
        work = team.sessions.delete if deletes else team.sessions.end
        refusal = self._refusal(session_id, tenant, user, "own")
        if refusal is Conflict and (deletes or self._status(session) == "ended"):
            refusal = None
        if refusal is not None:
            with pytest.raises(refusal):
                work(team.identity(user), session_id, None)
            return
        work(team.identity(user), session_id, None)
        if deletes:
            session.deleted = True
        elif session.status == "active":
            session.status = "ended"
            self._changed(session, "session.ended")

    @rule(session_id=sessions, tenant=st.integers(0, 1), user=users)
    def read(self, session_id: str, tenant: int, user: str) -> None:
        team, session = self.teams[tenant], self.known[session_id]
        if self._refusal(session_id, tenant, user, "read") is NotFound:
            with pytest.raises(NotFound):
                team.sessions.get(team.identity(user), session_id)
            return
        seen = team.sessions.get(team.identity(user), session_id)
        unswept = session.status == "active" and self._status(session) == "expired"
        assert (seen.status, seen.version) == (self._status(session), session.version + unswept)

    @invariant()
    def lists_hold_all_and_only_what_may_be_read(self) -> None:
        for tenant, team in enumerate(self.teams):
            present = {name: one for name, one in self.known.items() if one.tenant == tenant and not one.deleted}
            for user in USERS:
                found, _ = team.lists.page(team.identity(user), Wanted(), "", 200)
                assert {one.id for one in found} == {n for n, one in present.items() if one.may(user, "read")}

    @invariant()
    def live_counts_are_exact(self) -> None:
        for tenant, team in enumerate(self.teams):
            held = [one for one in self.known.values() if one.tenant == tenant and not one.deleted]
            live = [one for one in held if one.status == "active"]
            key = team.scope.key
            assert team.realtime.redis.call("ZCARD", key("sessions", "live")) == len(live)
            for user in USERS:
                count = team.realtime.redis.call("ZCARD", key("sessions", "live", user))
                assert count == sum(one.owner == user for one in live)

    def teardown(self) -> None:
        for session_id, session in self.known.items():
            told = [event["type"] for event in self.teams[session.tenant].events(session_id)]
            assert told[: len(session.events)] == session.events
            assert set(told[len(session.events) :]) <= {"session.deleted"}

    def _status(self, session: Expected) -> str:
        over = session.status == "active" and self.time >= session.touched + session.ttl
        return "expired" if over else session.status

    def _refusal(self, session_id: str, tenant: int, user: str, what: str) -> type[Exception] | None:
        session = self.known[session_id]
        if session.deleted or tenant != session.tenant or not session.may(user, "read"):
            return NotFound
        if user != session.owner and (what == "own" or not session.may(user, what)):
            return PermissionDenied
        return None if self._status(session) == "active" or what == "read" else Conflict

    def _changed(self, session: Expected, event: str) -> None:
        session.version += 1
        session.events.append(event)

    def _swept(self, session: Expected) -> None:
        if self._status(session) == "expired" and not session.deleted and session.status == "active":
            session.status = "expired"
            self._changed(session, "session.expired")
        forgotten = session.touched + session.ttl + TOMBSTONE_MS / 1000
        if session.status != "active" and self.time >= forgotten:
            session.deleted = True


def test_random_lives_follow_the_model(team: Team) -> None:
    machine = type("Lives", (Lives,), {"team": team})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=15,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
