"""Where the service runs: what the account, the region and the addresses are on this machine."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Deployment:
    """`sqs_url` is the address in front of queue URLs; `api_id` the id of both APIs."""

    stage: str = "local"
    region: str = "us-east-1"
    account_id: str = "123456789012"
    api_id: str = "trafficcop"
    sqs_url: str = "http://127.0.0.1:0"
