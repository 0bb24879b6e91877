"""Clips in the table.

| item | pk | sk |
|---|---|---|
| an account's clips by name, without audio | `ACCOUNT#<id>` | `CLIPS` |
| the audio of a clip | `ACCOUNT#<id>#CLIPS` | `<clip id>` |

Each change writes the first item, conditional on its version, so the number of clips holds under
any race; the audio is written or deleted in the same transaction.
"""

from __future__ import annotations

from typing import Any

from chalicelib.domain.clip import MAX_CLIPS, Clip, TooManyClips, UnknownClip
from chalicelib.store.contention import tries
from chalicelib.store.table import (
    ConditionFailed,
    Contention,
    Item,
    Table,
    Write,
    delete,
    put,
)


class ClipStore:
    """The clips of accounts."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def all(self, account_id: str) -> list[Clip]:
        """Return the account's clips, by name."""
        return sorted(self._read(account_id)[0].values(), key=lambda clip: clip.name)

    def audio(self, account_id: str, clip_id: str) -> bytes | None:
        """Return the mu-law of a clip, None if there is none."""
        item = self._table.get(_audio_pk(account_id), clip_id)
        return None if item is None else _bytes(item["audio"])

    def keep(self, account_id: str, clip: Clip, ulaw: bytes) -> bool:
        """Keep a clip in place of that of its name; return whether it is a new name. Raises
        TooManyClips, Contention.
        """
        for _ in tries():
            clips, version = self._read(account_id)
            former = clips.get(clip.name)
            if former is None and len(clips) >= MAX_CLIPS:
                raise TooManyClips
            audio = put({"pk": _audio_pk(account_id), "sk": clip.clip_id, "audio": ulaw})
            after = {**clips, clip.name: clip}
            if self._written(account_id, after, version, audio, former):
                return former is None
        raise Contention

    def remove(self, account_id: str, name: str) -> None:
        """Delete a clip. Raises UnknownClip, Contention."""
        for _ in tries():
            clips, version = self._read(account_id)
            former = clips.get(name)
            if former is None:
                raise UnknownClip(name)
            after = {key: clip for key, clip in clips.items() if key != name}
            if self._written(account_id, after, version, None, former):
                return
        raise Contention

    def _read(self, account_id: str) -> tuple[dict[str, Clip], int]:
        item = self._table.get(f"ACCOUNT#{account_id}", "CLIPS") or {}
        clips = {name: Clip.model_validate(clip) for name, clip in item.get("clips", {}).items()}
        return clips, item.get("version", 0)

    def _written(
        self,
        account_id: str,
        after: dict[str, Clip],
        version: int,
        audio: Write | None,
        former: Clip | None,
    ) -> bool:
        """Write the account's clips, if they are as they were read; return whether they were."""
        shown: Item = {name: clip.model_dump(mode="json") for name, clip in after.items()}
        item: Item = {"pk": f"ACCOUNT#{account_id}", "sk": "CLIPS", "version": version + 1}
        condition = "#version = :seen" if version else "attribute_not_exists(#version)"
        index = put(
            {**item, "clips": shown},
            condition,
            {"#version": "version"},
            {":seen": version} if version else None,
        )
        writes = [index] if audio is None else [index, audio]
        if former is not None and former.clip_id not in {each.clip_id for each in after.values()}:
            writes.append(delete(_audio_pk(account_id), former.clip_id))
        try:
            self._table.write(*writes)
        except (ConditionFailed, Contention):
            return False
        return True


def _audio_pk(account_id: str) -> str:
    return f"ACCOUNT#{account_id}#CLIPS"


def _bytes(value: Any) -> bytes:
    """Return the bytes of a binary attribute, which boto3 wraps."""
    return bytes(getattr(value, "value", value))
