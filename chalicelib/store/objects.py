"""Objects in S3: segments of recordings, which relays put by signed URLs, and recordings' files.

The client is made when it is first used: few requests need it, and it takes a tenth of a second.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

PART = 8 << 20
"""Bytes of a part of a file that is written in several: all of it that is in memory at a time."""
_AT_ONCE = 1000
"""Keys in one request to delete."""


class ObjectStore:
    """Reads and writes objects of a bucket."""

    def __init__(self, client: Callable[[], Any], bucket: str) -> None:
        self._make, self._bucket = client, bucket

    @functools.cached_property
    def _client(self) -> Any:
        return self._make()

    def upload_url(self, key: str, expires_s: int) -> str:
        """Return a URL to which one object can be put."""
        return self._signed("put_object", expires_s, Key=key)

    def download_url(self, key: str, expires_s: int, name: str, kind: str) -> str:
        """Return a URL at which one object can be read, as a file of this name and content type."""
        disposition = f'attachment; filename="{name}"'
        return self._signed(
            "get_object",
            expires_s,
            Key=key,
            ResponseContentDisposition=disposition,
            ResponseContentType=kind,
        )

    def address(self, prefix: str) -> str:
        """Return the beginning of the signed URLs of all objects whose keys begin so."""
        return self._signed("get_object", 1, Key=prefix).partition("?")[0]

    def sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Yield the key and size of each object whose key begins so, in order."""
        pages = self._client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._bucket, Prefix=prefix):
            for each in page.get("Contents", ()):
                yield each["Key"], each["Size"]

    def read(self, key: str) -> bytes:
        """Return an object's content."""
        content: bytes = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        return content

    def write(self, key: str, chunks: Iterable[bytes]) -> int:
        """Write an object, which is never in memory as a whole; return its size. Nothing is left of
        one that could not be written.
        """
        parts = _parts(chunks)
        first = next(parts, b"")
        second = next(parts, None)
        if second is None:
            self._client.put_object(Bucket=self._bucket, Key=key, Body=first)
            return len(first)
        upload = self._client.create_multipart_upload(Bucket=self._bucket, Key=key)["UploadId"]
        where = {"Bucket": self._bucket, "Key": key, "UploadId": upload}
        try:
            return self._write_parts(where, _again(first, second, parts))
        except BaseException:
            self._client.abort_multipart_upload(**where)
            raise

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects. Those that are not there are deleted already."""
        listed = [{"Key": key} for key in keys]
        for at in range(0, len(listed), _AT_ONCE):
            some = {"Objects": listed[at : at + _AT_ONCE], "Quiet": True}
            self._client.delete_objects(Bucket=self._bucket, Delete=some)

    def _write_parts(self, where: dict[str, str], parts: Iterable[bytes]) -> int:
        size, written = 0, []
        for number, part in enumerate(parts, 1):
            answer = self._client.upload_part(**where, PartNumber=number, Body=part)
            written.append({"PartNumber": number, "ETag": answer["ETag"]})
            size += len(part)
        self._client.complete_multipart_upload(**where, MultipartUpload={"Parts": written})
        return size

    def _signed(self, action: str, expires_s: int, **params: Any) -> str:
        url: str = self._client.generate_presigned_url(
            action, Params={"Bucket": self._bucket, **params}, ExpiresIn=expires_s
        )
        return url


def _parts(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the bytes in parts of the same size, the last one shorter."""
    part = bytearray()
    for chunk in chunks:
        part += chunk
        while len(part) >= PART:
            yield bytes(part[:PART])
            del part[:PART]
    if part:
        yield bytes(part)


def _again(first: bytes, second: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield second
    yield from rest


class Composer:
    """Starts the function that composes a recording, and does not wait for it."""

    def __init__(self, client: Callable[[], Any], function: str) -> None:
        self._make, self._function = client, function

    @functools.cached_property
    def _client(self) -> Any:
        return self._make()

    def start(self, recording_id: str) -> None:
        """Have a recording composed. A second start does nothing while the first one is at it."""
        payload = f'{{"recording_id": "{recording_id}"}}'.encode()
        self._client.invoke(FunctionName=self._function, InvocationType="Event", Payload=payload)
