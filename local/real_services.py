"""A real Supabase project or Upstash database in place of the local one, for whoever wants to test against it.

Named TEST_… so that what a shell or an .env file holds for production is never used by accident.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from local.refused import Refused


@dataclass(frozen=True)
class RealServices:
    """Empty strings where the local part serves. `jwt_secret` is a legacy project's, for HS256."""

    supabase_url: str = ""
    supabase_anon_key: str = ""
    jwt_secret: str = ""
    redis_rest_url: str = ""
    redis_rest_token: str = ""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "RealServices":
        """`TEST_SUPABASE_URL`, `_ANON_KEY`, `_JWT_SECRET`; `TEST_UPSTASH_REDIS_REST_URL`, `_TOKEN`."""
        names = [
            *("SUPABASE_URL", "SUPABASE_ANON_KEY", "SUPABASE_JWT_SECRET"),
            *("UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"),
        ]
        real = cls(*(environ.get(f"TEST_{name}", "").strip().rstrip("/") for name in names))
        if bool(real.supabase_url) != bool(real.supabase_anon_key):
            raise Refused("set both TEST_SUPABASE_URL and TEST_SUPABASE_ANON_KEY, or neither")
        if bool(real.redis_rest_url) != bool(real.redis_rest_token):
            raise Refused("set both TEST_UPSTASH_REDIS_REST_URL and TEST_UPSTASH_REDIS_REST_TOKEN, or neither")
        return real
