"""A table of 50 MB is read as a stream: exactly, and with memory far below its size."""

import json

import pytest

from tests.files.parsing.conftest import Reader, types

ROW = '%d,name %d,%.3f,2026-%02d-%02d,%s,Ünïcode %d,"quoted, %d",=x%d,\n'
HEADER = "id,name,share,day,flag,word,quoted,formula,empty\n"


def rows(count: int) -> str:
    lines = [
        ROW % (n, n % 97, n / 7, n % 12 + 1, n % 28 + 1, "true" if n % 2 else "false", n, n, n) for n in range(count)
    ]
    return "".join(lines)


def test_fifty_megabytes_need_a_fraction_of_their_size(reader: Reader, capsys: pytest.CaptureFixture[str]) -> None:
    block = rows(5_000).encode()
    blocks = -(-(50 << 20) // len(block))
    content = HEADER.encode() + block * blocks + b"7.5,end,1,2026-01-01T10:00:00,x,y,z,w,not empty\n"
    assert len(content) > 50 << 20
    outcome = reader.sandboxed(content, "large.csv")
    with capsys.disabled():
        print(f"\n{len(content) >> 20} MiB of CSV: {outcome.peak_bytes / (1 << 20):.0f} MiB at most")  # noqa: T201
    result = json.loads(outcome.result)
    assert outcome.status == "ready"
    assert result["row_count"] == 5_000 * blocks + 1
    assert types(result) == {
        **{"id": "float", "name": "string", "share": "float", "day": "datetime", "flag": "string"},
        **{"word": "string", "quoted": "string", "formula": "string", "empty": "string?"},
    }
    assert result["formula_like_cells"] == 5_000 * blocks
    assert (result["warnings"], len(result["preview"])) == (
        [f"{5_000 * blocks} cells begin like a formula (= + - @), first row 1"],
        100,
    )
    assert outcome.peak_bytes < len(content) // 2
