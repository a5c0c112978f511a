"""What Upstash's REST API does not do: refused here, or code would pass locally and fail in production."""

from local.redis.resp import Failure, Reply
from local.redis.scripts import Command

MAX_REQUEST_BYTES = 10 * 1024 * 1024
MAX_KEY_BYTES = 32 * 1024

_BLOCKING = b"BLPOP BRPOP BLMOVE BRPOPLPUSH BLMPOP BZPOPMIN BZPOPMAX BZMPOP"
_CONNECTION_STATE = (
    b"WATCH UNWATCH MULTI EXEC DISCARD SUBSCRIBE PSUBSCRIBE SSUBSCRIBE UNSUBSCRIBE PUNSUBSCRIBE SUNSUBSCRIBE"
    b" MONITOR CLIENT HELLO RESET QUIT AUTH ASKING READONLY READWRITE"
)
_OPERATIONS = (
    b"ACL BGREWRITEAOF BGSAVE CLUSTER CLUSTERSCAN COMMANDLOG DEBUG FAILOVER LASTSAVE LATENCY MIGRATE MODULE"
    b" MOVE PFDEBUG PFSELFTEST PSYNC REPLCONF REPLICAOF RESTORE-ASKING ROLE SAVE SHUTDOWN SLAVEOF SLOWLOG SWAPDB SYNC"
)
_UNAVAILABLE = frozenset((_BLOCKING + b" " + _CONNECTION_STATE + b" " + _OPERATIONS).split())
_UNAVAILABLE_VERBS = {
    b"FUNCTION": frozenset({b"DUMP", b"RESTORE"}),
    b"SCRIPT": frozenset({b"DEBUG", b"SHOW"}),
    b"CONFIG": frozenset({b"REWRITE", b"RESETSTAT"}),
}
_SETTABLE = b"notify-keyspace-events"


def refusal(command: Command) -> Failure | None:
    """The error Upstash answers instead of executing `command`, None if it does execute it."""
    name = command[0].upper()
    verb = command[1].upper() if name in _UNAVAILABLE_VERBS and len(command) > 1 else b""
    if name in _UNAVAILABLE or verb in _UNAVAILABLE_VERBS.get(name, ()):
        return _not_available(command[0])
    if name in (b"XREAD", b"XREADGROUP") and _blocks(command):
        return _not_available(command[0] + b" BLOCK")
    if name == b"SELECT" and command[1:] != [b"0"]:
        return Failure(b"ERR Only 0th database is supported! Selected DB: " + b" ".join(command[1:]))
    if name == b"CONFIG" and verb == b"SET" and [n.lower() for n in command[2::2]] != [_SETTABLE]:
        return _not_available(b"CONFIG SET")
    return None


def answer_without_executing(command: Command) -> Reply:
    """The fixed replies Upstash gives to a few commands; None for all others."""
    name = command[0].upper()
    if name == b"COMMAND":
        return []
    if name == b"SCRIPT" and command[1:2] and command[1].upper() == b"KILL":
        return Failure(b"NOTBUSY No scripts in execution right now.")
    return None


def _blocks(command: Command) -> bool:
    for argument in command[1:]:
        if argument.upper() == b"STREAMS":
            return False
        if argument.upper() == b"BLOCK":
            return True
    return False


def _not_available(name: bytes) -> Failure:
    return Failure(
        b"ERR Command is not available: '%b'. "
        b"See https://upstash.com/docs/redis/overall/compatibility for details" % name
    )
