"""Holds the gate beside LocalStack and prints what each answered; ends with 1 when a difference has no reason.

`python -m tests.local.aws.beside` downloads some 140 MB from PyPI into a temporary folder and takes a minute or two.
"""

import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from local.aws import ThreadedAws
from tests.local.aws.beside.asking import Server, Step, seen
from tests.local.aws.beside.cases import CASES
from tests.local.aws.beside.localstack import VERSION, localstack

_Row = tuple[str, ...]
_SAME, _UNEXPLAINED = "same", "**unexplained**"


def compared(gate_url: str, other_url: str, http: httpx.Client) -> list[_Row]:
    """A row for each request: case, request, both outcomes, verdict."""
    rows: list[_Row] = []
    for number, (case, steps) in enumerate(CASES.items()):
        servers = [Server.with_bucket(url, f"beside-{number}", http) for url in (gate_url, other_url)]
        for step in steps:
            ours, theirs = (seen(step.request(server)) for server in servers)
            rows.append((case, step.request.shown, *_cells(ours, theirs), _verdict(step, ours, theirs)))
    return rows


def _verdict(step: Step, ours: dict[str, str], theirs: dict[str, str]) -> str:
    if _differences(ours, theirs) != step.differs:
        return _UNEXPLAINED
    return step.why or _SAME


def _differences(ours: dict[str, str], theirs: dict[str, str]) -> dict[str, str]:
    """What the other one says instead, by name; headers go with the outcome."""
    if ours[""] != theirs[""]:
        return {"": theirs[""]}
    return {name: theirs.get(name, "") for name in {*ours, *theirs} if ours.get(name) != theirs.get(name)}


def _cells(ours: dict[str, str], theirs: dict[str, str]) -> tuple[str, str]:
    names = sorted({"", *_differences(ours, theirs)})
    return _cell(names, ours), _cell(names, theirs)


def _cell(names: list[str], answer: dict[str, str]) -> str:
    return " ".join(f"{name}{name and ': '}{answer.get(name, '–')}" for name in names).replace("|", r"\|")


def table(rows: list[_Row]) -> str:
    head = ("case", "request", "gate", f"LocalStack {VERSION}", "")
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * 5, *rows))


def main() -> int:
    with (
        TemporaryDirectory() as folder,
        localstack(Path(folder)) as other,
        ThreadedAws() as aws,
        httpx.Client(timeout=60) as http,
    ):
        rows = compared(aws.s3_url, other, http)
    verdicts = Counter(row[-1] if row[-1] in (_SAME, _UNEXPLAINED) else "explained" for row in rows)
    print(table(rows), "", ", ".join(f"{number} {verdict}" for verdict, number in verdicts.items()), sep="\n")  # noqa: T201
    return bool(verdicts[_UNEXPLAINED])


if __name__ == "__main__":
    sys.exit(main())
