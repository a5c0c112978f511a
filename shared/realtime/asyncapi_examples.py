"""One example of each frame for the document of the protocol; tests hold them against its schemas."""

from typing import Any, Final

_EPOCH: Final = "xK3dQ0aa"
_ANN: Final = {"user": "5f1c7c0e-8f53-4d0e-9c2f-0d4b6a1d2c3e", "client": "BFaVtfGSIAMCKug="}
_PUBLICATION: Final = {"offset": 7, "data": {"text": "hello"}, "info": _ANN}

COMMANDS: Final[dict[str, dict[str, Any]]] = {
    "connect": {
        "id": 1,
        "connect": {
            "token": "eyJhbGciOiJFUzI1NiJ9.…",
            "name": "js",
            "subs": {f"user:{_ANN['user']}": {"recover": True, "epoch": _EPOCH, "offset": 6}},
        },
    },
    "subscribe": {"id": 2, "subscribe": {"channel": "chat:lobby", "recover": True, "epoch": _EPOCH, "offset": 6}},
    "unsubscribe": {"id": 3, "unsubscribe": {"channel": "chat:lobby"}},
    "publish": {"id": 4, "publish": {"channel": "chat:lobby", "data": {"text": "hello"}}},
    "presence": {"id": 5, "presence": {"channel": "chat:lobby"}},
    "presence_stats": {"id": 6, "presence_stats": {"channel": "chat:lobby"}},
    "history": {"id": 7, "history": {"channel": "chat:lobby", "limit": 10, "since": {"epoch": _EPOCH, "offset": 6}}},
    "ping": {"id": 8, "ping": {}},
    "send": {"send": {"data": {"seen": 7}}},
    "rpc": {"id": 9, "rpc": {"method": "ping", "data": {}}},
    "refresh": {"id": 10, "refresh": {"token": "eyJhbGciOiJFUzI1NiJ9.…"}},
    "sub_refresh": {"id": 11, "sub_refresh": {"channel": "chat:lobby", "token": "eyJhbGciOiJIUzI1NiJ9.…"}},
}

_SUBSCRIBED: Final = {"recoverable": True, "positioned": True, "epoch": _EPOCH, "offset": 7}
_LIFETIME: Final = {"client": _ANN["client"], "version": "Traffic Cop", "expires": True, "ttl": 3600}

REPLIES: Final[dict[str, dict[str, Any]]] = {
    "error": {"id": 2, "error": {"code": 103, "message": "permission denied"}},
    "connect": {"id": 1, "connect": {**_LIFETIME, "subs": {f"user:{_ANN['user']}": {**_SUBSCRIBED, "offset": 0}}}},
    "subscribe": {
        "id": 2,
        "subscribe": {**_SUBSCRIBED, "was_recovering": True, "recovered": True, "publications": [_PUBLICATION]},
    },
    "unsubscribe": {"id": 3, "unsubscribe": {}},
    "publish": {"id": 4, "publish": {}},
    "presence": {"id": 5, "presence": {"presence": {_ANN["client"]: _ANN}}},
    "presence_stats": {"id": 6, "presence_stats": {"num_clients": 1, "num_users": 1}},
    "history": {"id": 7, "history": {"publications": [_PUBLICATION], "epoch": _EPOCH, "offset": 7}},
    "ping": {"id": 8, "ping": {}},
    "rpc": {"id": 9, "rpc": {"data": {}}},
    "refresh": {"id": 10, "refresh": _LIFETIME},
    "sub_refresh": {"id": 11, "sub_refresh": {"expires": True, "ttl": 600}},
}

PUSHES: Final[dict[str, dict[str, Any]]] = {
    "pub": {"push": {"channel": "chat:lobby", "pub": _PUBLICATION}},
    "join": {"push": {"channel": "chat:lobby", "join": {"info": _ANN}}},
    "leave": {"push": {"channel": "chat:lobby", "leave": {"info": _ANN}}},
    "subscribe": {
        "push": {
            "channel": "news:today",
            "subscribe": {
                "recoverable": True,
                "positioned": True,
                "epoch": "Zk3Qd1xA",
                "offset": 12,
                "data": {"title": "Today"},
            },
        },
    },
    "unsubscribe": {
        "push": {"channel": "chat:lobby", "unsubscribe": {"code": 2500, "reason": "insufficient state"}},
    },
    "disconnect": {"push": {"disconnect": {"code": 3005, "reason": "connection expired"}}},
}
