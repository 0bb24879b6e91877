"""The dashboard's files over HTTP: what is there, how it may be kept, what the page may do."""

from __future__ import annotations

import pytest

from chalicelib.handlers.dashboard import FOLDER
from tests.support.engine import ROOT

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
ASSETS = sorted(path for path in (ROOT / "dashboard").iterdir() if path.suffix in TYPES)


def get(api, path, method="GET", **headers):
    return api.raw(method, path, b"", **headers)


def test_the_page_may_load_its_own_files_and_talk_to_us_and_the_two_sockets_only(api):
    page = get(api, "/dashboard")
    assert page.status_code == 200
    assert page.body == (ROOT / "dashboard" / "index.html").read_bytes()
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = dict(
        part.strip().partition(" ")[::2]
        for part in page.headers["Content-Security-Policy"].split(";")
    )
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self' wss://relay.test wss://gateway.test",
        "worker-src": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "require-trusted-types-for": "'script'",
    }


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/app.js"])
def test_what_goes_with_every_file(api, path):
    headers = get(api, path).headers
    assert headers["Cache-Control"] == "no-cache"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    allowed = [each.strip() for each in headers["Permissions-Policy"].split(",")]
    assert [each for each in allowed if not each.endswith("=()")] == ["microphone=(self)"]
    assert "camera=()" in allowed


@pytest.mark.parametrize("asset", ASSETS, ids=lambda path: path.name)
def test_each_file_is_served_as_what_it_is(api, asset):
    served = get(api, f"/dashboard/{asset.name}")
    assert (served.status_code, served.body) == (200, asset.read_bytes())
    assert served.headers["Content-Type"] == TYPES[asset.suffix]


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/app.js"])
def test_who_has_it_already_is_not_sent_it_again(api, path):
    etag = get(api, path).headers["ETag"]
    assert etag.startswith('"')  # a strong one
    for known in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        again = get(api, path, **{"If-None-Match": known})
        assert (again.status_code, again.body) == (304, b"")
        assert again.headers["ETag"] == etag
        assert again.headers["Cache-Control"] == "no-cache"
    for other in ('"other"', etag.strip('"'), ""):
        assert get(api, path, **{"If-None-Match": other}).status_code == 200


def test_files_differ_in_their_etags(api):
    tags = {get(api, f"/dashboard/{path.name}").headers["ETag"] for path in ASSETS}
    assert len(tags) == len(ASSETS)


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/app.js"])
def test_head_has_the_same_headers(api, path):
    whole, head = get(api, path), get(api, path, "HEAD")
    assert (head.status_code, dict(head.headers)) == (200, dict(whole.headers))


@pytest.mark.parametrize(
    "name",
    ["nowhere.js", "index.html", "..", "%2e%2e", "..%2fapp.py", "%2e%2e%2fapp.py", "app.js%00",
     "..%5capp.py", "%2fetc%2fpasswd", "APP.JS", "app.js.", "."],
)  # fmt: skip
def test_there_is_nothing_else_to_be_had(api, name):
    answer = get(api, f"/dashboard/{name}")
    assert (answer.status_code, answer.json_body["code"]) == (404, "not_found")
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_slash_too_many_leads_to_the_page(api):
    answer = get(api, "/dashboard/")
    assert answer.status_code == 308
    assert answer.headers["Location"] == "https://api.test/api/dashboard"


def test_nothing_is_written_that_way(api):
    answer = get(api, "/dashboard/app.js", "POST")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_the_page_is_packaged_with_the_application():
    """Chalice packages `chalicelib/` and `vendor/`, whose content lies beside it in Lambda."""
    assert (ROOT / "vendor" / "dashboard").resolve() == ROOT / "dashboard" == FOLDER
