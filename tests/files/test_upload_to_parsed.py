"""The main road: promise, upload, event, parsed rows."""

import json

from tests.files.conftest import Desk


def test_an_uploaded_csv_is_parsed(desk: Desk) -> None:
    file = desk.upload(b"name,age\nAnn,31\nBob,\n")
    after = desk.arrive(file)
    assert (after.status, after.parse.status) == ("available", "ready")
    result = json.loads(desk.filing.files.parsed(desk.identity(), file.id))
    assert result["preview"] == [{"name": "Ann", "age": 31}, {"name": "Bob", "age": None}]
    assert desk.events(f"file:{file.id}") == [
        "file.created",
        "file.uploaded",
        "file.available",
        "file.parsing",
        "file.parsed",
    ]
