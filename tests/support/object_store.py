"""A storage of recordings in memory, which keeps what is put to the URLs that it gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from chalicelib.services.dependencies import Dependencies, RecordingStorage


@dataclass
class RecordingObjects:
    """Objects by key; `broken` fails to write."""

    kept: dict[str, bytes] = field(default_factory=dict)
    broken: bool = False

    def upload_url(self, key: str, expires_s: int) -> str:
        return f"https://bucket.example/{key}?put={expires_s}"

    def download_url(self, key: str, expires_s: int, name: str, kind: str) -> str:
        return f"https://bucket.example/{key}?get={expires_s}&name={name}"

    def address(self, prefix: str) -> str:
        return f"https://bucket.example/{prefix}"

    def sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        found = sorted(key for key in self.kept if key.startswith(prefix))
        yield from ((key, len(self.kept[key])) for key in found)

    def read(self, key: str) -> bytes:
        return self.kept[key]

    def write(self, key: str, chunks: Iterable[bytes]) -> int:
        content = b"".join(chunks)
        if self.broken:
            raise OSError("no space")
        self.kept[key] = content
        return len(content)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.kept.pop(key, None)


@dataclass
class RecordingComposer:
    """A composer that records what it is started for."""

    started: list[str] = field(default_factory=list)

    def start(self, recording_id: str) -> None:
        self.started.append(recording_id)


def storage(account_bytes: int = 10**9, days: int = 30) -> Any:
    """Return the storage of an installation, in memory."""
    return RecordingStorage(
        RecordingObjects(),  # type: ignore[arg-type]
        RecordingComposer(),  # type: ignore[arg-type]
        days * 24 * 3600 * 1000,
        account_bytes,
    )


def objects_of(deps: Dependencies) -> RecordingObjects:
    """Return the objects of a storage in memory."""
    assert deps.recordings is not None
    return deps.recordings.objects  # type: ignore[return-value]


def composed_by(deps: Dependencies) -> list[str]:
    """Return the recordings whose composition was started."""
    assert deps.recordings is not None
    return deps.recordings.composer.started  # type: ignore[attr-defined, no-any-return]
