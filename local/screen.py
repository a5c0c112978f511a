"""What a person sees once the stack stands: where everything is, whom to be, what to try."""

from typing import Any

from local.demo_users import DEMO_USERS, PASSWORD

_SCREEN = """\
Traffic Cop is up. Ctrl-C stops it.

  HTTP API      {http}
  WebSocket     {websocket}
  @connections  {connections}/@connections/{{id}}
  Supabase      {supabase_url}   publishable key {supabase_anon_key}
                {indent}   secret key      {supabase_service_key}
  Redis (REST)  {redis_rest_url}   token {redis_rest_token}
  S3            {s3}   keys test / test, bucket {bucket}
  SQS           {sqs}
  Logs          {log}

Demo users (password: {password})
{users}

Create a session, over HTTP:

  curl -X POST {http}/sessions \\
    -H 'Content-Type: application/json' \\
    -H 'Authorization: Bearer {token}' \\
    -d '{{"data": {{"hello": "world"}}}}'

Chat, in Python (pip install centrifuge-python; save it, then run it with the token in the environment:
TOKEN=$({command}) python chat.py):

  import asyncio, os
  from centrifuge import Client, SubscriptionEventHandler

  class Print(SubscriptionEventHandler):
      async def on_publication(self, ctx):
          print(ctx.pub.data)

  async def main():
      client = Client("{websocket}", token=os.environ["TOKEN"])
      lobby = client.new_subscription("chat:lobby", events=Print())
      await client.connect()
      await lobby.subscribe()
      await lobby.publish({{"text": "hello"}})
      await asyncio.sleep(60)

  asyncio.run(main())
"""


def render(description: dict[str, Any], token: str, bucket: str, log: str, port_base: int) -> str:
    """`description` as of `Stack.describe`; `token` goes into the example, so that it works as it stands."""
    where = "" if port_base == 0 else f" --port-base {port_base}"
    return _SCREEN.format(
        **description,
        indent=" " * len(description["supabase_url"]),
        bucket=bucket,
        log=log,
        password=PASSWORD,
        users="\n".join(
            f"  {user.email:<16}  {_permissions(user.permissions)} of {user.tenant}" for user in DEMO_USERS
        ),
        token=token,
        command=f"traffic-cop token alice@acme.test{where}",
    )


def _permissions(permissions: tuple[str, ...]) -> str:
    return " + ".join(permissions)
