"""Content as it comes back: under its own name, whatever that is, whole or in ranges."""

import re
from urllib.parse import unquote

import httpx
import pytest

from tests.files.conftest import browser, desk, s3
from tests.functions.test_file_routes import CSV, Site, code, site

__all__ = ["browser", "desk", "s3", "site"]
_DISPOSITION = re.compile(r"""attachment; filename="([ !#-\[\]-~]*)"; filename\*=UTF-8''([A-Za-z0-9._~%-]*)""")


def fetched(site: Site, file_id: str, **headers: str) -> httpx.Response:
    moved = site.get(f"/files/{file_id}/content")
    assert moved.status_code == 307
    return site.desk.http.get(moved.headers["location"], headers=headers)


@pytest.mark.parametrize(
    "name",
    [
        "a" * 251 + ".csv",
        "語" * 85,
        "🧑‍🚀 лунный 🌕.csv",
        "דו״ח שנתי.csv",
        "\u202efdp.تقرير\u202c.csv",
        "e\u0301\u00e9.csv",
        "..\\..\\etc/passwd",
        '100% "sure"; filename=x.html, a+b&c=d#e?.csv',
        " .csv ",
    ],
)
def test_a_name_comes_back_as_it_went_in(site: Site, name: str) -> None:
    file_id = site.stored(name=name)
    assert site.get(f"/files/{file_id}").json()["name"] == name
    answer = fetched(site, file_id)
    found = _DISPOSITION.fullmatch(answer.headers["content-disposition"])
    assert found is not None, answer.headers["content-disposition"]
    assert unquote(found[2], errors="strict") == name
    assert (len(found[1]), answer.content) == (len(name), CSV)


def test_a_name_of_more_than_255_bytes_is_refused(site: Site) -> None:
    promise = {"name": "語" * 85 + "x", "content_type": "text/csv", "size": 1}
    assert code(site.client.post("/files", json=promise, headers=site.as_("ann"))) == (422, "invalid")


@pytest.mark.parametrize(("wanted", "content"), [("bytes=0-3", CSV[:4]), ("bytes=5-", CSV[5:]), ("bytes=-4", CSV[-4:])])
def test_a_range_of_the_content_can_be_fetched(site: Site, wanted: str, content: bytes) -> None:
    answer = fetched(site, site.stored(), Range=wanted)
    assert (answer.status_code, answer.content) == (206, content)
    assert answer.headers["content-range"].endswith(f"/{len(CSV)}")
    assert answer.headers["content-disposition"].startswith("attachment;")


def test_a_range_goes_on_only_with_the_same_content(site: Site) -> None:
    file_id = site.stored()
    etag = fetched(site, file_id).headers["etag"]
    assert fetched(site, file_id, Range="bytes=5-", **{"If-Match": etag}).status_code == 206
    assert fetched(site, file_id, Range="bytes=5-", **{"If-Match": '"other"'}).status_code == 412


def test_a_range_beyond_the_content_is_refused(site: Site) -> None:
    assert fetched(site, site.stored(), Range="bytes=1000-").status_code == 416


def test_what_users_made_is_taken_for_what_it_is_said_to_be(site: Site) -> None:
    file_id = site.stored(name="<script>.html", content_type="text/html")
    for path in ("", "/content", "/parsed"):
        assert site.get(f"/files/{file_id}{path}").headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/xhtml+xml", "text/xml; charset=utf-8"])
def test_what_could_run_never_renders(site: Site, kind: str) -> None:
    content = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    answer = fetched(site, site.stored(content=content, content_type=kind, name="a.svg"))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.content == content


def test_no_cache_keeps_for_others_what_is_answered(site: Site) -> None:
    file_id = site.stored()
    for path in ("/files", f"/files/{file_id}", f"/files/{file_id}/parsed"):
        assert site.get(path).headers["cache-control"] == "private, no-cache"
    assert site.get(f"/files/{file_id}/content").headers["cache-control"] == "no-store"
