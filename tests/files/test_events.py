"""Subscribers of a file and of its session see each change, in order."""

import secrets

import pytest

from shared.realtime.connections import ConnectRequest, connect_extra
from shared.realtime.protocol import SubscribeOptions
from tests.files.conftest import Desk


def subscribed(desk: Desk, *channels: str) -> str:
    """A connected client that is subscribed to the channels."""
    realtime = desk.filing.realtime
    connection = secrets.token_urlsafe(8)
    request = ConnectRequest(1, connect_extra(connection, 0, 0), None)
    socket = realtime.connections.admit_connected(connection, desk.identity("eve"), "1.2.3.4", request)
    for cmd, channel in enumerate(channels, 2):
        realtime.connections.subscribe(socket, channel, cmd, SubscribeOptions())
    return connection


def told(desk: Desk, connection: str) -> list[tuple[str, str]]:
    """Channel and type of each event that the client got."""
    pushes = [frame["push"] for frame in desk.sent.frames(connection) if "push" in frame]
    return [(push["channel"], push["pub"]["data"]["type"]) for push in pushes if "pub" in push]


@pytest.mark.parametrize("session", ["", "s1"])
def test_a_subscriber_sees_every_change_of_a_file(desk: Desk, session: str) -> None:
    desk.readers.add(("ann", "s1"))
    file = desk.upload(b"a,b\n1,2\n", session_id=session)
    connection = subscribed(desk, f"file:{file.id}")
    desk.arrive(file)
    story = ["file.uploaded", "file.available", "file.parsing", "file.parsed"]
    assert told(desk, connection) == [(f"file:{file.id}", kind) for kind in story]


def test_a_sessions_subscriber_sees_its_files(desk: Desk) -> None:
    desk.readers.add(("ann", "s1"))
    connection = subscribed(desk, "session:s1")
    file = desk.upload(b"a,b\n1,2\n", session_id="s1")
    desk.upload(b"a,b\n1,2\n")
    desk.filing.files.delete(desk.identity(), file.id)
    assert told(desk, connection) == [("session:s1", "file.created"), ("session:s1", "file.deleted")]


def test_who_is_subscribed_to_both_is_told_on_both(desk: Desk) -> None:
    desk.readers.add(("ann", "s1"))
    file = desk.upload(b"a,b\n1,2\n", session_id="s1")
    connection = subscribed(desk, "session:s1", f"file:{file.id}")
    desk.filing.files.delete(desk.identity(), file.id)
    assert sorted(told(desk, connection)) == [
        (f"file:{file.id}", "file.deleted"),
        ("session:s1", "file.deleted"),
    ]
