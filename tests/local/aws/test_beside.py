"""What the gate answered beside another S3 (`tests.local.aws.beside`), it answers still."""

import httpx
import pytest

from local.aws import ThreadedAws
from tests.local.aws.beside.asking import Server, Step, seen
from tests.local.aws.beside.cases import CASES


@pytest.mark.parametrize(("number", "steps"), list(enumerate(CASES.values())), ids=list(CASES))
def test_the_gate_answers_as_recorded(aws: ThreadedAws, http: httpx.Client, number: int, steps: list[Step]) -> None:
    server = Server.with_bucket(aws.s3_url, f"beside-{number}", http)
    for step in steps:
        answer = seen(step.request(server))
        told = {name: answer.get(name) for name in step.told}
        assert (step.request.shown, answer[""], told) == (step.request.shown, step.outcome, step.told)
    server.client.close()
