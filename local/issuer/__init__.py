"""Supabase Auth on one machine: real clients sign in against it, and its tokens verify by JWKS."""

from local.issuer.project import ProjectSettings
from local.issuer.server import SupabaseIssuer
from local.issuer.threaded import ThreadedIssuer

__all__ = ["ProjectSettings", "SupabaseIssuer", "ThreadedIssuer"]
