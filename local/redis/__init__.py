"""Upstash on one machine: a real Valkey behind a gateway that speaks (and refuses) what Upstash does."""

from local.redis.faults import Fault, Faults
from local.redis.rest import UpstashGateway
from local.redis.threaded import ThreadedUpstash
from local.redis.valkey import AsyncValkeyServer, ValkeyServer

__all__ = ["AsyncValkeyServer", "Fault", "Faults", "ThreadedUpstash", "UpstashGateway", "ValkeyServer"]
