"""Supabase Auth on one machine: an issuer the real clients sign in against, and whose tokens verify by JWKS."""

from local.issuer.project import ProjectSettings
from local.issuer.server import SupabaseIssuer
from local.issuer.threaded import ThreadedIssuer

__all__ = ["ProjectSettings", "SupabaseIssuer", "ThreadedIssuer"]
