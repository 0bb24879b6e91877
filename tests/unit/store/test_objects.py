"""The storage of recordings: signed URLs, and files that are never in memory as a whole."""

from __future__ import annotations

import tracemalloc
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import pytest
from botocore.config import Config

from chalicelib.domain.composition import Stored, header, plan
from chalicelib.services.call.compose import _file
from chalicelib.store.objects import PART, Composer, ObjectStore

KEY = "segments/acc_1/call_1/rec_1/000004000"
SEGMENT = 64_000
HOURS_MS = 4 * 3600 * 1000


def in_aws() -> ObjectStore:
    """A storage in AWS's own form, of which only URLs are made."""
    import boto3

    def client() -> Any:
        return boto3.client(
            "s3",
            region_name="eu-west-3",
            aws_access_key_id="AKIAEXAMPLE",
            aws_secret_access_key="secret",
            config=Config(signature_version="s3v4", s3={"addressing_style": "virtual"}),
        )

    return ObjectStore(client, "chamade-prod-recordings-0123456789ab")


def test_a_url_for_an_upload_is_of_one_key_for_a_quarter_of_an_hour() -> None:
    url = urllib.parse.urlsplit(in_aws().upload_url(KEY, 900))
    query = dict(urllib.parse.parse_qsl(url.query))
    assert url.scheme == "https"
    assert url.hostname is not None
    assert url.hostname.startswith("chamade-prod-recordings-0123456789ab.s3.")
    assert url.path == f"/{KEY}"
    assert query["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
    assert query["X-Amz-Expires"] == "900"
    assert query["X-Amz-SignedHeaders"] == "host"
    assert len(query["X-Amz-Signature"]) == 64
    assert "secret" not in url.query


def test_a_url_for_a_download_names_the_file() -> None:
    url = in_aws().download_url("recordings/a/b/rec_1.wav", 900, "rec_1.wav", "audio/wav")
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
    assert query["response-content-disposition"] == 'attachment; filename="rec_1.wav"'
    assert query["response-content-type"] == "audio/wav"


def test_urls_of_files_begin_with_their_address_which_is_that_of_one_bucket() -> None:
    objects = in_aws()
    address = objects.address("recordings/")
    assert objects.download_url("recordings/a/b.wav", 900, "b.wav", "audio/wav").startswith(address)
    assert address.startswith("https://chamade-prod-recordings-0123456789ab.s3.")
    assert address.endswith("/recordings/")


class RecordingClient:
    """A client of S3 that counts what it is given, and has the same segment under every key."""

    def __init__(self, *, breaks: bool = False) -> None:
        self.parts: list[int] = []
        self.begun, self.completed, self.aborted = 0, 0, 0
        self.breaks = breaks

    def get_object(self, **_: Any) -> dict[str, Any]:
        return {"Body": self}

    def read(self) -> bytes:
        return bytes(SEGMENT)

    def put_object(self, *, Body: bytes, **_: Any) -> None:
        self.parts.append(len(Body))

    def create_multipart_upload(self, **_: Any) -> dict[str, str]:
        self.begun += 1
        return {"UploadId": "u"}

    def upload_part(self, *, Body: bytes, **_: Any) -> dict[str, str]:
        if self.breaks and self.parts:
            raise OSError("broken")
        self.parts.append(len(Body))
        return {"ETag": "e"}

    def complete_multipart_upload(self, *, MultipartUpload: Any, **_: Any) -> None:
        assert len(MultipartUpload["Parts"]) == len(self.parts)
        self.completed += 1

    def abort_multipart_upload(self, **_: Any) -> None:
        self.aborted += 1


def test_a_recording_of_four_hours_is_composed_in_the_memory_of_a_few_parts() -> None:
    client = RecordingClient()
    objects = ObjectStore(lambda: client, "b")
    made = plan(
        [Stored(str(at), at, SEGMENT) for at in range(0, HOURS_MS, 4000) if at != 8000], HOURS_MS
    )
    assert (made.duration_ms, made.gaps) == (HOURS_MS, 1)
    tracemalloc.start()
    try:
        size = objects.write("f", _file(objects, made))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size == made.size == sum(client.parts) == len(header(0)) + HOURS_MS * 16
    assert set(client.parts[:-1]) == {PART}
    assert most < 8 * PART
    assert client.completed == 1


def test_a_short_file_is_written_at_once() -> None:
    client = RecordingClient()
    assert ObjectStore(lambda: client, "b").write("f", [b"abc", b"de"]) == 5
    assert (client.parts, client.begun) == ([5], 0)


def test_nothing_is_left_of_a_file_that_could_not_be_written() -> None:
    client = RecordingClient(breaks=True)
    with pytest.raises(OSError, match="broken"):
        ObjectStore(lambda: client, "b").write("f", [bytes(PART)] * 3)
    assert (client.completed, client.aborted) == (0, 1)


def test_a_composition_is_started_and_not_waited_for() -> None:
    asked: dict[str, Any] = {}

    class Lambda:
        def invoke(self, **request: Any) -> None:
            asked.update(request)

    Composer(Lambda, "chamade-prod-compose-recording").start("rec_1")
    assert asked == {
        "FunctionName": "chamade-prod-compose-recording",
        "InvocationType": "Event",
        "Payload": b'{"recording_id": "rec_1"}',
    }
