"""Uploads in parts over HTTP, as Uppy, plain HTTP and botocore make them."""

import hashlib
from contextlib import closing
from typing import Any

import pytest
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session

from shared.auth.identity import Identity
from shared.files.model import File
from shared.files.multipart import Part
from tests.files.conftest import browser, desk, s3
from tests.functions.test_file_routes import CSV, Site, code, site

__all__ = ["browser", "desk", "s3", "site"]


def upload_parts(site: Site, content: bytes, size: int, **members: Any) -> tuple[str, list[dict[str, Any]]]:
    body = site.create(size=len(content), multipart=True, **members)
    file_id = body["file"]["id"]
    assert (body["upload"]["method"], body["upload"]["key"]) == ("MULTIPART", file_id)
    done = []
    for number, start in enumerate(range(0, len(content), size), 1):
        signed = site.get(f"/files/{file_id}/parts/{number}").json()
        answer = site.send(signed, content[start : start + size])
        done.append({"PartNumber": number, "ETag": answer.headers["etag"]})
    return file_id, done


def test_a_file_is_uploaded_in_parts_as_uppy_does_it(site: Site) -> None:
    content = b"a,b\n" + (b"1," + b"x" * 1_000 + b"\n") * 6_000
    file_id, done = upload_parts(site, content, 5 << 20)
    listed = site.get(f"/files/{file_id}/parts").json()
    assert [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in listed] == done
    path = f"/files/{file_id}/complete"
    first = site.client.post(path, json={"parts": done}, headers=site.as_("ann")).json()
    assert (first["status"], first["version"]) == ("available", 3)
    assert site.client.post(path, json={"parts": done}, headers=site.as_("ann")).json() == first
    site.event(f"quarantine/{site.tenant}/{file_id}")
    assert site.get(f"/files/{file_id}/parsed").json()["row_count"] == 6_000
    assert code(site.get(f"/files/{file_id}/parts")) == (409, "conflict")


@pytest.mark.parametrize(("content", "status"), [(CSV, "available"), (CSV[::-1], "rejected")])
def test_parts_must_have_the_declared_digest(site: Site, content: bytes, status: str) -> None:
    file_id, done = upload_parts(site, content, 1000, sha256=hashlib.sha256(CSV).hexdigest())
    told = site.client.post(f"/files/{file_id}/complete", json={"parts": done}, headers=site.as_("ann")).json()
    assert told["status"] == status
    site.event(f"quarantine/{site.tenant}/{file_id}")
    kept = site.desk.filing.bucket.head(f"files/{site.tenant}/{file_id}")
    assert (kept is not None) == (status == "available")
    if status == "rejected":
        assert told["reason"] == "the content does not have the declared SHA-256"
        assert code(site.get(f"/files/{file_id}/content")) == (409, "conflict")


def test_parts_must_make_up_what_was_declared(site: Site) -> None:
    file_id, done = upload_parts(site, CSV, 1000)
    path = f"/files/{file_id}/complete"
    assert code(site.client.post(path, json={"parts": []}, headers=site.as_("ann"))) == (422, "invalid")
    assert site.client.post(path, json={"parts": done}, headers=site.as_("ann")).status_code == 200


def test_large_files_are_uploaded_in_parts_unless_otherwise_wanted(site: Site) -> None:
    assert site.create(size=200 << 20)["upload"]["method"] == "MULTIPART"
    assert site.create(size=200 << 20, multipart=False)["upload"]["method"] == "PUT"


def test_an_upload_in_parts_can_be_aborted(site: Site) -> None:
    body = site.create(size=200 << 20)
    file_id = body["file"]["id"]
    assert site.client.delete(f"/files/{file_id}/parts", headers=site.as_("ann")).status_code == 204
    assert code(site.get(f"/files/{file_id}")) == (404, "not-found")


@pytest.mark.parametrize("in_parts", [True, False])
def test_what_takes_no_parts_cannot_be_aborted_and_stays(site: Site, in_parts: bool) -> None:
    if in_parts:
        file_id, done = upload_parts(site, CSV, 1000)
        site.client.post(f"/files/{file_id}/complete", json={"parts": done}, headers=site.as_("ann"))
    else:
        file_id = site.stored()
    refused = site.client.delete(f"/files/{file_id}/parts", headers=site.as_("ann"))
    assert (code(refused), refused.json()["file_status"]) == ((409, "conflict"), "available")
    assert site.get(f"/files/{file_id}/content").status_code == 307


def test_an_upload_that_is_joined_while_it_is_aborted_stays(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    file_id, done = upload_parts(site, CSV, 1000)
    files, look = site.desk.filing.files, site.desk.filing.files._access.taking_parts

    def joined_meanwhile(identity: Identity, asked: str) -> File:
        monkeypatch.undo()
        found = look(identity, asked)
        site.desk.filing.uploads.complete(identity, file_id, [Part(1, done[0]["ETag"].strip('"'))])
        return found

    monkeypatch.setattr(files._access, "taking_parts", joined_meanwhile)
    assert code(site.client.delete(f"/files/{file_id}/parts", headers=site.as_("ann"))) == (409, "conflict")
    assert site.get(f"/files/{file_id}").json()["status"] == "available"


def test_botocore_sends_parts_through_our_urls(site: Site) -> None:
    content = b"a,b\n" + b"1,2\n" * 1_500_000
    body = site.create(size=len(content), multipart=True)
    file_id, done = body["file"]["id"], []
    with closing(URLLib3Session()) as session:
        for number, start in enumerate(range(0, len(content), 5 << 20), 1):
            signed = site.get(f"/files/{file_id}/parts/{number}").json()
            data = content[start : start + (5 << 20)]
            answer = session.send(AWSRequest("PUT", signed["url"], signed["headers"], data).prepare())
            assert answer.status_code == 200, answer.text
            done.append({"PartNumber": number, "ETag": answer.headers["etag"]})
    told = site.client.post(f"/files/{file_id}/complete", json={"parts": done}, headers=site.as_("ann")).json()
    assert (len(done), told["status"]) == (2, "available")


def test_a_parts_url_opens_no_other_part_and_no_other_file(site: Site) -> None:
    first, second = (site.create(size=10, multipart=True)["file"]["id"] for _ in range(2))
    url = site.get(f"/files/{first}/parts/1").json()["url"]
    for stolen in (url.replace("partNumber=1", "partNumber=2"), url.replace(first, second)):
        assert stolen != url
        assert site.desk.http.put(stolen, content=b"0123456789").status_code == 403
    assert site.get(f"/files/{first}/parts").json() == []


def test_a_part_that_is_sent_again_replaces_the_first(site: Site) -> None:
    file_id = site.create(size=len(CSV), multipart=True)["file"]["id"]
    signed = site.get(f"/files/{file_id}/parts/1").json()
    site.send(signed, b"broken off")
    etag = site.send(signed).headers["etag"]
    assert [(part["ETag"], part["Size"]) for part in site.get(f"/files/{file_id}/parts").json()] == [(etag, len(CSV))]
    told = site.client.post(
        f"/files/{file_id}/complete", json={"parts": [{"PartNumber": 1, "ETag": etag}]}, headers=site.as_("ann")
    )
    assert told.json()["status"] == "available"
