"""The functions of the small service that the stack's tests run."""

import json
import os
from pathlib import Path
from typing import Any

import boto3


def note(event: Any, context: Any) -> None:
    """Appends the function's name and the event to the file that the environment names."""
    line = json.dumps([context.function_name, event])
    with Path(os.environ["RECORD_TO"]).open("a") as file:
        file.write(line + "\n")


def show(event: dict[str, Any], context: Any) -> dict[str, Any]:
    body = {"environment": dict(os.environ), "path": event["rawPath"], "pid": os.getpid()}
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(body)}


def admit(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return {"statusCode": 403 if event.get("queryStringParameters") else 200}


def push(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Sends a frame by @connections, then answers."""
    sender = boto3.client("apigatewaymanagementapi", endpoint_url=os.environ["CONNECTIONS_ENDPOINT"])
    sender.post_to_connection(ConnectionId=event["requestContext"]["connectionId"], Data=b"pushed")
    return {"statusCode": 200, "body": f"answer to {event['body']} by {os.getpid()}"}
