"""Tests of the dashboard's files over HTTP: content, caching, and the page's policy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app import app
from chalicelib import bootstrap
from chalicelib.handlers.dashboard import FOLDER
from tests.support.engine import ROOT

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
PAGE = ROOT / "dashboard"
ASSETS = sorted(path for path in PAGE.rglob("*") if path.suffix in TYPES)
EVERY_KIND = ["/dashboard", "/dashboard/app.js", "/dashboard/api/feed.js"]


def name_of(asset):
    return asset.relative_to(PAGE).as_posix()


def get(api, path, method="GET", **headers):
    return api.raw(method, path, b"", **headers)


def policy_of(page):
    """Directives of the page's Content-Security-Policy, with their sources."""
    policy = page.headers["Content-Security-Policy"]
    return dict(part.strip().partition(" ")[::2] for part in policy.split(";"))


def test_the_page_may_load_its_own_files_and_talk_to_us_and_the_two_sockets_only(api):
    page = get(api, "/dashboard")
    assert page.status_code == 200
    assert page.body == (PAGE / "index.html").read_bytes()
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert policy_of(page) == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self' wss://relay.test wss://gateway.test",
        "media-src": "https://bucket.example/recordings/",
        "worker-src": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "require-trusted-types-for": "'script'",
    }


def test_where_calls_are_not_recorded_the_page_may_play_nothing(api, monkeypatch):
    without = replace(bootstrap.dependencies(), recordings=None)
    monkeypatch.setattr(bootstrap, "dependencies", lambda: without)
    assert "media-src" not in policy_of(get(api, "/dashboard"))


@pytest.mark.parametrize("path", EVERY_KIND)
def test_every_file_has_the_security_headers(api, path):
    headers = get(api, path).headers
    assert headers["Cache-Control"] == "no-cache"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    allowed = [each.strip() for each in headers["Permissions-Policy"].split(",")]
    assert [each for each in allowed if not each.endswith("=()")] == ["microphone=(self)"]
    assert "camera=()" in allowed


@pytest.mark.parametrize("asset", ASSETS, ids=name_of)
def test_each_file_is_served_with_its_content_type(api, asset):
    served = get(api, f"/dashboard/{name_of(asset)}")
    assert (served.status_code, served.body) == (200, asset.read_bytes())
    assert served.headers["Content-Type"] == TYPES[asset.suffix]


@pytest.mark.parametrize("path", EVERY_KIND)
def test_a_matching_etag_is_answered_with_304(api, path):
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
    tags = {get(api, f"/dashboard/{name_of(asset)}").headers["ETag"] for asset in ASSETS}
    assert len(tags) == len(ASSETS)


@pytest.mark.parametrize("path", EVERY_KIND)
def test_head_answers_with_the_headers_of_get(api, path):
    whole, head = get(api, path), get(api, path, "HEAD")
    assert (head.status_code, dict(head.headers)) == (200, dict(whole.headers))


@pytest.mark.parametrize(
    "name",
    ["nowhere.js", "index.html", "..", "%2e%2e", "..%2fapp.py", "%2e%2e%2fapp.py", "app.js%00",
     "..%5capp.py", "%2fetc%2fpasswd", "APP.JS", "app.js.", ".", "api", "feed.js", "api%2ffeed.js",
     "api/app.js", "api/nowhere.js", "api/..", "api/%2e%2e%2fapp.js", "api/..%2fapi%2ffeed.js",
     "..%2f/app.py", "%2e%2e/app.py", "./app.js", "%2e/app.js",
     "/feed.js", "API/feed.js", "widgets/feed.js"],
)  # fmt: skip
def test_other_paths_are_not_found(api, name):
    answer = get(api, f"/dashboard/{name}")
    assert (answer.status_code, answer.json_body["code"]) == (404, "not_found")
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_trailing_slash_redirects_to_the_page(api):
    answer = get(api, "/dashboard/")
    assert answer.status_code == 308
    assert answer.headers["Location"] == "https://api.test/api/dashboard"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_bare_address_leads_to_the_page_but_not_for_ever(api, method):
    answer = get(api, "/", method)
    assert answer.status_code == 302
    assert answer.headers["Location"] == "https://api.test/api/dashboard"


@pytest.mark.parametrize("path", EVERY_KIND)
def test_other_methods_are_refused(api, path):
    answer = get(api, path, "POST")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_below_each_path_one_variable_has_one_name():
    """API Gateway refuses an API with two names for one place."""
    names = {}
    for route in app.routes:
        parts = route.split("/")
        for at, part in enumerate(parts):
            if part.startswith("{"):
                names.setdefault(tuple(parts[:at]), set()).add(part)
    assert {place: each for place, each in names.items() if len(each) > 1} == {}
    assert names["", "dashboard"] == {"{asset}"}  # an update that renames it is refused


def test_the_page_is_packaged_with_the_application():
    """Chalice packages `chalicelib/` and `vendor/`, whose content lies beside it in Lambda."""
    assert (ROOT / "vendor" / "dashboard").resolve() == PAGE == FOLDER
