"""What both stock SDKs must do against the running stack: one list, run by in_python.py and by in_node.mjs.

A scenario's function has the same name in both; it returns JSON that must equal `expected`.
"""

from dataclasses import dataclass
from typing import Any

PYTHON, NODE = "python", "node"


@dataclass(frozen=True)
class Scenario:
    """`name` is the function in each SDK's file, `promise` what it shows."""

    name: str
    promise: str
    expected: Any
    sdks: tuple[str, ...] = (PYTHON, NODE)


ONCE = {"asked": 1, "connected": 1, "disconnected": []}

SCENARIOS = (
    Scenario("header_token", "the handshake's header may carry the token", {"personal": True}, (PYTHON,)),
    Scenario("subprotocol_token", "a subprotocol may carry the token", {"personal": True}, (NODE,)),
    Scenario("first_frame_token", "the first frame may carry the token", {"personal": True}),
    Scenario("no_token", "without a token the application is asked for one, once", ONCE),
    Scenario("expired_handshake", "an expired token at the handshake ends in a fresh one, not in a loop", ONCE),
    Scenario("expired_first_frame", "an expired token in the first frame ends in a fresh one, not in a loop", ONCE),
    Scenario(
        "expired_for_good", "an expired token and nothing to get another by ends the client", {"disconnected": [1]}
    ),
    Scenario("wrong_token", "a forged token in the first frame ends the client", {"disconnected": [3500]}),
    Scenario(
        "refresh",
        "a token is refreshed in place and the connection lives on",
        {**ONCE, "extended": True, "same": True, "heard": ["after"]},
    ),
    Scenario(
        "subscription_token",
        "a subscription's token is fetched, fetched again when it had expired, and refreshed in place",
        {"asked": 3, "subscribed": 1, "codes": [], "heard": ["here"]},
    ),
    Scenario(
        "refresh_without_read",
        "a refresh that lost the right to read ends the subscriptions it opened, and the client lives on",
        {"codes": [2000], "connected": 1, "disconnected": []},
    ),
    Scenario("publications", "a subscriber hears what it and others publish", {"heard": [{"n": 1}, "two", [3], None]}),
    Scenario(
        "burst",
        "publications sent at once arrive once each, in offset order",
        {"offsets": list(range(1, 31)), "values": list(range(30))},
    ),
    Scenario("presence", "presence and its counts name each member once", {"users": 2, "clients": 3, "stats": [3, 2]}),
    Scenario(
        "history",
        "history answers since, reverse and limit",
        {
            "position": [5, 0],
            "limited": [1, 2],
            "all": [1, 2, 3, 4, 5],
            "since": [3, 4],
            "reverse": [5, 4],
            "reverse_since": [3, 2, 1],
        },
    ),
    Scenario("refusals", "what is refused has Centrifugo's code", {"codes": [103, 102, 103, 103, 107, 104]}),
    Scenario("rpc", "rpc ping is built in, other methods are unknown", {"ping": {}, "unknown": 104}),
    Scenario(
        "recovery_in_traffic",
        "a client cut off while others publish ends with exactly the sequence",
        {"heard": list(range(40)), "offsets": list(range(1, 41)), "recovered": [True]},
    ),
    Scenario(
        "recovery_after_absence",
        "what was published in a client's absence is recovered",
        {"heard": [1, 2, 3, 4], "recovered": [True], "left_out": []},
    ),
    Scenario(
        "unrecoverable",
        "a client that missed more than the history holds is told so",
        {"heard": ["before", "after"], "recovered": [False], "was_recovering": [True]},
    ),
    Scenario(
        "removed_history",
        "a client whose missed publications were removed is told so",
        {"heard": ["before", "after"], "recovered": [False], "was_recovering": [True]},
    ),
    Scenario("nothing_missed", "a client that missed nothing recovers nothing", {"heard": [1, 2], "recovered": [True]}),
    Scenario("join_leave", "joins and leaves are heard once each", {"joined": True, "left": True, "count": [1, 1]}),
    Scenario(
        "personal_channel",
        "the personal channel hears the backend and recovers",
        {"heard": ["live", "missed 1", "missed 2", "live again"], "recovered": [False, True]},
    ),
    Scenario("many_channels", "a client with many channels gets them all back", {"subscribed": 25, "heard": 25}),
    Scenario(
        "unsubscribe",
        "who unsubscribes hears nothing more, and may come back",
        {"codes": [0], "present": False, "heard": ["before", "back"]},
    ),
    Scenario("strict_mode", "subscribe, unsubscribe, subscribe in one tick ends subscribed", {"heard": ["here"]}),
    Scenario(
        "flapping",
        "however often one tick subscribes and unsubscribes, the last word counts",
        {"present": False, "state": "unsubscribed"},
    ),
    Scenario(
        "batching", "commands batched into one frame are answered each", {"heard": [0, 1, 2], "frames": 1}, (NODE,)
    ),
    Scenario("disconnect_for_good", "the backend's 3503 ends the client", {"codes": [3503], "connected": 1}),
    Scenario(
        "disconnect_3001",
        "the backend's 3001 has the client come back and recover",
        {"codes": [3001], "connected": 2, "disconnected": [], "heard": [1, 2], "recovered": [True]},
    ),
    Scenario(
        "disconnect_3008",
        "a slow client's 3008 has it come back and recover",
        {"codes": [3008], "connected": 2, "disconnected": [], "heard": [1, 2], "recovered": [True]},
    ),
    Scenario("foreign_session", "another tenant's session channel is refused", {"codes": [103]}),
    Scenario("session_channel", "a session's changes arrive in version order", {"versions": [2, 3, 4, 5]}),
    Scenario(
        "lost_share",
        "whose share of a session is taken away is unsubscribed for good",
        {"told": ["session.updated"], "unsubscribed": [2000], "state": "unsubscribed"},
    ),
)

# Not in the list: they take somebody who lets hours pass and breaks things (tests/delivery).
IDLE = Scenario(
    "idle",
    "an idle client notices nothing",
    {"connecting": 1, "connected": 1, "disconnected": [], "errors": [], "subscribed": 1, "heard": ["over"]},
)
PLANNED_RECONNECT = Scenario(
    "planned_reconnect",
    "a client asked to come back before its two hours are over loses and repeats nothing",
    {"codes": [3011], "connected": 2, "disconnected": [], "heard": [1, 2, 3], "recovered": [True]},
)
LISTEN_TO_THE_END = Scenario(
    "listen_to_the_end",
    "a client hears each publication once, in order, through every fault of the gateway",
    {"heard": [*range(25), "end"], "offsets": list(range(1, 27)), "disconnected": []},
)
