"""HTTP `/api/*` and `/connections`: what an app's backend does with channels."""

from functions.channel.routes import router
from shared.auth.api_keys import ApiKeys
from shared.auth.identify import Authenticator
from shared.auth.revoked_sessions import RevokedSessions
from shared.http.app import create_app
from shared.http.lambda_handler import lambda_handler
from shared.http.pagination import Cursors
from shared.realtime.realtime import Realtime
from shared.realtime.server_api import ServerApi
from shared.settings import settings

realtime = Realtime.from_settings(settings())

app = create_app(
    "Traffic Cop: channels",
    [router],
    authenticator=Authenticator(settings(), revoked=RevokedSessions(realtime.redis)),
    api_keys=ApiKeys(realtime.redis),
    redis=realtime.redis,
    channels=realtime.channels,
    roster=realtime.roster,
    server_api=ServerApi(realtime.channels, realtime.roster, realtime.session_ends, realtime.redis),
    cursors=Cursors.from_settings(settings()),
)
handler = lambda_handler(app)
