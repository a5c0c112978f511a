"""Puts the file layer together for one environment."""

from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn

from shared.auth.identity import Identity
from shared.errors import NotFound
from shared.files.access import FileAccess, JoinSession, MayReadSession
from shared.files.expiry import Expiry
from shared.files.intake import Intake
from shared.files.objects import Bucket
from shared.files.service import Files
from shared.files.store import FileStore
from shared.files.uploads import Uploads
from shared.realtime.realtime import Realtime


def nobody_joins(identity: Identity, session_id: str) -> NoReturn:
    """For functions that take no uploads."""
    raise NotFound


@dataclass(frozen=True)
class Filing:
    """The composition root of the file layer; everything is made once, on first use.

    Three attempts of `s3_timeout_s` must fit the function's time.
    """

    realtime: Realtime
    may_read_session: MayReadSession = lambda identity, session_id: False
    join_session: JoinSession = nobody_joins
    s3_timeout_s: float = 8.0

    @cached_property
    def bucket(self) -> Bucket:
        return Bucket.from_settings(self.realtime.settings, self.s3_timeout_s)

    @cached_property
    def store(self) -> FileStore:
        return FileStore(self.realtime.redis, self.realtime.due, self.realtime.delivery)

    @cached_property
    def access(self) -> FileAccess:
        return FileAccess(self.store, self.may_read_session, self.join_session)

    @cached_property
    def intake(self) -> Intake:
        return Intake(self.store, self.bucket)

    @cached_property
    def expiry(self) -> Expiry:
        return Expiry(self.store, self.bucket)

    @cached_property
    def uploads(self) -> Uploads:
        return Uploads(self.store, self.bucket, self.access, self.intake, self.realtime.settings)

    @cached_property
    def files(self) -> Files:
        return Files(self.store, self.bucket, self.access, self.expiry)
