"""Tests of clips: kept by name, bounded, and given to relays of the account's calls alone."""

from __future__ import annotations

import base64
import threading

import pytest

from chalicelib.domain.clip import MAX_CLIPS, MAX_WAV_BYTES, BadClip, TooManyClips, UnknownClip
from chalicelib.services.call import clips, hold
from tests.support.relay_door import talking, with_door
from tests.unit.domain.test_wav import pcm, tone, wav


def sound(hz: int) -> str:
    return base64.b64encode(wav(pcm(tone(8000, hz)))).decode()


def keep(world, name, hz=440):
    return clips.keep(world.deps, world.account_id, name, sound(hz))


def names(world):
    return [clip.name for clip in world.stores.clips.all(world.account_id)]


def test_a_clip_is_heard_by_the_far_end_that_is_held_with_it(world):
    door, (clip, new) = with_door(world), keep(world, "on-hold")
    assert new
    assert clip.duration_ms == 500
    call = talking(world, voice="own")
    hold.hold(world.deps, world.account_id, call.call_id, "on-hold")
    source = door.asked[-1]["params"]["line"]["source"]
    assert source == {"kind": "clip", "clip_id": clip.clip_id, "loop": True}
    ulaw = clips.audio_for_relay(world.deps, call.call_id, clip.clip_id)
    assert len(ulaw) == 4000


def test_a_clip_of_no_such_name_is_not_heard(world):
    with_door(world)
    call = talking(world, voice="own")
    with pytest.raises(UnknownClip):
        hold.hold(world.deps, world.account_id, call.call_id, "on-hold")
    assert world.reread(call).media_line.number == 0


def test_no_relay_gets_another_accounts_clip(world):
    clip, _ = keep(world, "ours")
    with_door(world)
    call = talking(world, voice="own")
    stranger, _ = world.new_account()
    theirs, _ = clips.keep(world.deps, stranger, "theirs", sound(900))
    assert clips.audio_for_relay(world.deps, call.call_id, clip.clip_id)
    for call_id, clip_id in ((call.call_id, theirs.clip_id), ("call_x", clip.clip_id)):
        with pytest.raises(UnknownClip):
            clips.audio_for_relay(world.deps, call_id, clip_id)


def test_a_name_is_kept_anew_and_the_former_audio_goes(world):
    former, _ = keep(world, "on-hold", 440)
    clip, new = keep(world, "on-hold", 880)
    assert not new
    assert names(world) == ["on-hold"]
    assert world.stores.clips.audio(world.account_id, former.clip_id) is None
    assert world.stores.clips.audio(world.account_id, clip.clip_id)


def test_audio_of_two_names_goes_with_the_second(world):
    clip, _ = keep(world, "one")
    keep(world, "two")
    world.stores.clips.remove(world.account_id, "one")
    assert world.stores.clips.audio(world.account_id, clip.clip_id)
    world.stores.clips.remove(world.account_id, "two")
    assert world.stores.clips.audio(world.account_id, clip.clip_id) is None
    with pytest.raises(UnknownClip):
        world.stores.clips.remove(world.account_id, "two")


def test_an_account_has_twenty_clips_also_if_they_come_at_once(world):
    for number in range(MAX_CLIPS - 2):
        keep(world, f"clip-{number}")

    def keeping(number):
        try:
            keep(world, f"more-{number}")
        except TooManyClips:
            refused.append(number)

    refused: list[int] = []
    threads = [threading.Thread(target=keeping, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names(world)) == MAX_CLIPS
    assert len(refused) == 2
    keep(world, "clip-0", 880)  # a name that is there may be kept anew


@pytest.mark.parametrize("given", ["no base64!", base64.b64encode(b"no WAV").decode()])
def test_audio_that_cannot_be_used_is_refused(world, given):
    with pytest.raises(BadClip):
        clips.keep(world.deps, world.account_id, "bad", given)
    assert names(world) == []


def test_a_wav_that_is_too_large_is_refused(world):
    with pytest.raises(BadClip, match="more than"):
        clips.keep(
            world.deps, world.account_id, "big", base64.b64encode(bytes(MAX_WAV_BYTES + 1)).decode()
        )
