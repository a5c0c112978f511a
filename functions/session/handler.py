"""HTTP `/sessions`: session state."""

from functions.session.routes import router
from shared.auth.api_keys import ApiKeys
from shared.auth.identify import Authenticator
from shared.auth.revoked_sessions import RevokedSessions
from shared.files.store import FileStore
from shared.http.app import create_app
from shared.http.idempotency import Idempotency
from shared.http.lambda_handler import lambda_handler
from shared.http.pagination import Cursors
from shared.realtime.realtime import Realtime
from shared.sessions.access import SessionAccess
from shared.sessions.audience import Audience
from shared.sessions.listing import SessionLists
from shared.sessions.service import Sessions
from shared.sessions.store import SessionStore
from shared.settings import settings

realtime = Realtime.from_settings(settings())
store = SessionStore(realtime.redis, realtime.due, realtime.delivery)
files = FileStore(realtime.redis, realtime.due, realtime.delivery)
audience = Audience(store, realtime.channels, files.channels_of)
app = create_app(
    "Traffic Cop: sessions",
    [router],
    authenticator=Authenticator(settings(), revoked=RevokedSessions(realtime.redis)),
    api_keys=ApiKeys(realtime.redis),
    sessions=Sessions(store, SessionAccess(store), audience, settings()),
    lists=SessionLists(store),
    idempotency=Idempotency(realtime.redis),
    cursors=Cursors.from_settings(settings()),
    channels=realtime.channels,
)
handler = lambda_handler(app)
