"""Who may see and who may change a file. What a caller may not see does not exist for him."""

from collections.abc import Callable

from shared.auth.identity import Identity, Permission
from shared.errors import Conflict, NotFound, PermissionDenied
from shared.files.model import File
from shared.files.store import FileStore

MayReadSession = Callable[[Identity, str], bool]
JoinSession = Callable[[Identity, str], object]


class FileAccess:
    """A file is its owner's and the tenant's admins'; a session's file may be read by who may read the session.

    `join_session` raises NotFound or PermissionDenied for a caller who may not put a file into a session.
    """

    def __init__(self, store: FileStore, may_read_session: MayReadSession, join_session: JoinSession) -> None:
        self._store = store
        self._may_read_session = may_read_session
        self.join_session = join_session

    def readable(self, identity: Identity, file_id: str) -> File:
        """The file, or NotFound."""
        file = self._store.read(identity, file_id)
        if not _owns(identity, file) and not self._shares(identity, file):
            raise NotFound
        return file

    def owned(self, identity: Identity, file_id: str) -> File:
        """The file of a caller who may change it; NotFound, or PermissionDenied if he may only read it."""
        file = self.readable(identity, file_id)
        if not _owns(identity, file):
            raise PermissionDenied("only its owner may change the file")
        return file

    def taking_parts(self, identity: Identity, file_id: str) -> File:
        """The same while parts are uploaded, else Conflict."""
        file = self.owned(identity, file_id)
        if not file.takes_parts:
            raise Conflict("no multipart upload is open", file_status=file.status)
        return file

    def may_read(self, identity: Identity, file_id: str) -> bool:
        """Whether the caller may subscribe to `file:<id>`; InvalidToken for a revoked token."""
        if not identity.allows(Permission.READ):
            return False
        try:
            self.readable(identity, file_id)
        except NotFound:
            return False
        return True

    def require_session(self, identity: Identity, session_id: str) -> None:
        """NotFound unless the caller may read the session."""
        if not self._may_read_session(identity, session_id):
            raise NotFound

    def _shares(self, identity: Identity, file: File) -> bool:
        return bool(file.session_id) and self._may_read_session(identity, file.session_id)


def _owns(identity: Identity, file: File) -> bool:
    return identity.is_admin or file.owner == identity.user
