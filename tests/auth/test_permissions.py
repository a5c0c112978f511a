"""The table of who may do what, walked: against the permissions, the routes, the commands and the server API."""

import inspect

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from functions.channel import routes as channel_routes
from functions.file import routes as file_routes
from functions.message import rpc
from functions.message.commands import Caller, Commands
from functions.session import routes as session_routes
from shared.auth.identify import Authenticator
from shared.auth.identity import Permission
from shared.auth.permissions import NEED_NO_PERMISSION, PERMISSIONS, require, require_for_api
from shared.auth.sockets import Socket
from shared.auth.subscription_tokens import SubscriptionTokens
from shared.errors import PermissionDenied
from shared.http.dependencies import identify, permitted
from shared.realtime.protocol import METHODS, decode_frame
from shared.settings import Settings
from tests.realtime.conftest import World, sent, world
from tests.support.auth import build_user_context_for_test

__all__ = ["sent", "world"]
ROUTERS = {"channel": channel_routes.router, "file": file_routes.router, "session": session_routes.router}
ROUTES = [
    pytest.param(route, id=f"{name} {sorted(route.methods or ())[0]} {route.path}")
    for name, router in ROUTERS.items()
    for route in router.routes
    if isinstance(route, APIRoute)
]


def calls_of(dependant: Dependant) -> list[object]:
    return [dependant.call, *(call for one in dependant.dependencies for call in calls_of(one))]


def operations_of(route: APIRoute) -> list[str]:
    checks = [call for call in calls_of(route.dependant) if inspect.isfunction(call)]
    checks = [call for call in checks if call.__qualname__.startswith(permitted.__qualname__)]
    return [inspect.getclosurevars(call).nonlocals["operation"] for call in checks]


@pytest.mark.parametrize("operation", PERMISSIONS)
def test_each_operation_needs_its_permission_and_no_other(operation: str) -> None:
    needed = PERMISSIONS[operation]
    for permission in Permission:
        caller = build_user_context_for_test(permissions=[permission.value])
        if permission in (needed, Permission.ADMIN):
            require(caller, operation)
        else:
            with pytest.raises(PermissionDenied):
                require(caller, operation)


def test_an_operation_without_a_row_is_nobodys() -> None:
    with pytest.raises(KeyError):
        require(build_user_context_for_test(permissions=["admin"]), "unheard.of")


@pytest.mark.parametrize("method", [name[4:] for name in PERMISSIONS if name.startswith("api.")])
def test_users_need_admin_for_the_server_api_whatever_their_permissions(method: str) -> None:
    with pytest.raises(PermissionDenied):
        require_for_api(build_user_context_for_test(permissions=["read", "write", "execute"]), method)
    require_for_api(build_user_context_for_test(permissions=["admin"]), method)


@pytest.mark.parametrize("route", ROUTES)
def test_each_route_asks_who_is_calling_and_for_one_operation(route: APIRoute) -> None:
    if route.path == "/api/{method}":
        # It answers errors in its own way, so it asks in its own body (tests/functions/test_channel_routes.py).
        assert operations_of(route) == []
        return
    assert identify in calls_of(route.dependant)
    (operation,) = operations_of(route)
    assert operation in PERMISSIONS


def test_routes_that_change_something_never_need_read_only() -> None:
    for parameter in ROUTES:
        (route,) = parameter.values
        assert isinstance(route, APIRoute)
        for operation in operations_of(route):
            reads = PERMISSIONS[operation] is Permission.READ
            assert not reads or (route.methods or set()) <= {"GET", "HEAD"}, operation


def test_the_table_has_no_row_that_nothing_asks_for() -> None:
    asked = {operation for one in ROUTES for operation in operations_of(one.values[0])}  # type: ignore[arg-type]
    elsewhere = {name for name in PERMISSIONS if name.startswith(("api.", "protocol."))}
    assert set(PERMISSIONS) - elsewhere == asked


def test_each_command_of_the_protocol_has_a_row_or_needs_none() -> None:
    rows = {name for name in PERMISSIONS if name.startswith("protocol.")}
    assert {f"protocol.{method}" for method in METHODS} == rows | NEED_NO_PERMISSION
    assert not rows & NEED_NO_PERMISSION


COMMANDS = {
    "subscribe": '{"id":9,"subscribe":{"channel":"chat:b"}}',
    "publish": '{"id":9,"publish":{"channel":"chat:a","data":{}}}',
    "presence": '{"id":9,"presence":{"channel":"chat:a"}}',
    "presence_stats": '{"id":9,"presence_stats":{"channel":"chat:a"}}',
    "history": '{"id":9,"history":{"channel":"chat:a","limit":1}}',
    "rpc": '{"id":9,"rpc":{"method":"echo","data":{}}}',
}


@pytest.fixture
def commands(world: World, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.setitem(rpc.METHODS, "echo", lambda socket, data: data)
    settings = Settings(supabase_url="http://127.0.0.1:9")
    return Commands(world.realtime, Authenticator(settings), SubscriptionTokens(settings), {})


def subscribed(world: World, permissions: set[Permission]) -> Socket:
    """A subscriber of chat:a whose newest token grants just these."""
    socket = world.client("ann", *Permission)
    world.subscribe(socket, "chat:a")
    world.realtime.connections.refresh(socket, world.identity("ann", *permissions))
    return socket


def test_every_row_of_the_protocol_is_tried_out_below() -> None:
    assert {f"protocol.{name}" for name in COMMANDS} == {name for name in PERMISSIONS if name.startswith("protocol.")}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_runs_with_its_permission_or_admin_and_with_no_other(
    world: World, commands: Commands, name: str
) -> None:
    needed, frame = PERMISSIONS[f"protocol.{name}"], decode_frame(COMMANDS[name])[0]
    for granted in ({needed}, {Permission.ADMIN}):
        commands.run(Caller(subscribed(world, granted).connection, "1.2.3.4"), frame)
    others = set(Permission) - {needed, Permission.ADMIN}
    with pytest.raises(PermissionDenied):
        commands.run(Caller(subscribed(world, others).connection, "1.2.3.4"), frame)
