"""HTTP `/files`: uploads, their content and what was parsed out of them."""

from functions.file.routes import router
from shared.auth.api_keys import ApiKeys
from shared.auth.identify import Authenticator
from shared.auth.revoked_sessions import RevokedSessions
from shared.files.filing import Filing
from shared.http.app import create_app
from shared.http.idempotency import Idempotency
from shared.http.lambda_handler import lambda_handler
from shared.http.pagination import Cursors
from shared.realtime.realtime import Realtime
from shared.sessions.access import SessionAccess
from shared.sessions.store import SessionStore
from shared.settings import settings

realtime = Realtime.from_settings(settings())
session_access = SessionAccess(SessionStore(realtime.redis, realtime.due, realtime.delivery))

filing = Filing(realtime, session_access.may_read, session_access.writable)

app = create_app(
    "Traffic Cop: files",
    [router],
    authenticator=Authenticator(settings(), revoked=RevokedSessions(realtime.redis)),
    api_keys=ApiKeys(realtime.redis),
    filing=filing,
    cursors=Cursors.from_settings(settings()),
    idempotency=Idempotency(realtime.redis),
)
handler = lambda_handler(app)
