"""Speaking in a call: the queue, marks, what was heard, barge-in."""

from __future__ import annotations

import pytest

from tests.unit.voice.call_scene import ANSWERED_BEFORE_MS, MS_A_CHARACTER, CallScene
from tests.unit.voice.tones import pitch, silence, tone
from voice.core.playout import (
    AHEAD_MS,
    LOST_S,
    MARK_MS,
    MAX_MARKS_AHEAD,
    MAX_QUEUED,
    MAX_QUEUED_TEXT,
)

TEN_WORDS = "one two three four five six seven eight nine ten"


def test_a_text_is_spoken_reported_and_finished(scene: CallScene):
    request = scene.say("utt_1", "Hello there.")
    assert scene.result(request)["state"] == "queued"
    assert scene.speak() == ["Hello there."]
    assert pitch(bytes(scene.world.audio)) == 1000
    assert len(scene.world.audio) == 12 * MS_A_CHARACTER * 16
    scene.wait(600)
    scene.play(*scene.marks())
    started, finished = scene.spoken_items("utt_1")
    assert started["state"] == "started"
    assert started["started_ms"] == ANSWERED_BEFORE_MS + 600
    assert finished == {
        "type": "speech",
        "utterance_id": "utt_1",
        "state": "finished",
        "heard_text": "Hello there.",
        "heard_ms": 600,
        "why": None,
        "started_ms": ANSWERED_BEFORE_MS + 600,
        "sequence": ANSWERED_BEFORE_MS + 600,
    }


def test_marks_are_behind_each_bit_of_audio(scene: CallScene):
    scene.say("utt_1", TEN_WORDS)
    piece = scene.call.next_piece(scene.now)
    assert piece
    places = []
    for _ in range(21):
        before = len(scene.marks())
        scene.call.playout.audio(piece, tone(1000, 100), scene.now)
        places += [len(scene.world.audio) // 16] * (len(scene.marks()) - before)
    assert places == [100, *range(MARK_MS, 2101, MARK_MS)]


def test_speech_that_is_far_ahead_has_no_more_marks_than_a_relay_takes(scene: CallScene):
    request = scene.say("utt_1", "1" * 200, wait=True)
    piece = scene.call.next_piece(scene.now)
    assert piece
    scene.call.playout.audio(piece, tone(1000, 2 * MAX_MARKS_AHEAD * MARK_MS), scene.now)
    scene.call.playout.sentence_done(piece, scene.now)
    assert len(scene.marks()) == MAX_MARKS_AHEAD + 1
    scene.play(*scene.marks())
    assert scene.result(request)["heard_ms"] == 2 * MAX_MARKS_AHEAD * MARK_MS


def test_nothing_is_spoken_before_start():
    scene = CallScene()
    scene.say("utt_1", "Hello.")
    assert scene.speak() == []
    scene.start()
    assert scene.speak() == ["Hello."]


def test_no_more_is_synthesised_than_is_soon_needed(scene: CallScene):
    sentence = "Word " * 20 + "end."  # 5.2 s
    scene.say("utt_1", f"{sentence} {sentence} {sentence}")
    assert len(scene.speak()) == 1
    scene.wait(1000)
    assert len(scene.speak()) == 0
    scene.wait(5200 - 1000 - AHEAD_MS + 20)
    assert len(scene.speak()) == 1


def test_the_caller_interrupts_and_we_know_which_words_were_heard(scene: CallScene):
    scene.say("utt_1", TEN_WORDS)
    scene.speak()
    scene.play(*scene.marks()[:1])
    scene.hear(silence(800))
    scene.play(*scene.marks()[1:3])  # 800 ms: "one two three fo"
    scene.hear(tone(400, 160))
    assert scene.world.sent[-1] == {"type": "clear"}
    item = scene.spoken_items("utt_1")[-1]
    assert (item["state"], item["why"]) == ("interrupted", "barge_in")
    assert item["heard_text"] == "one two three four"
    assert 800 < item["heard_ms"] < 1000


@pytest.mark.parametrize("heard_ms", range(0, 2400, 130))
def test_heard_words_are_right_within_a_word(scene: CallScene, heard_ms: int):
    scene.say("utt_1", TEN_WORDS)
    scene.speak()
    began = scene.now
    scene.play(scene.marks()[0])
    for number, name in enumerate(scene.marks()[1:], 1):
        if number * MARK_MS <= heard_ms:
            scene.now = began + number * MARK_MS / 1000
            scene.play(name)
    scene.now = began + heard_ms / 1000
    scene.request("clear")
    item = scene.spoken_items("utt_1")[-1]
    said = TEN_WORDS[: heard_ms // MS_A_CHARACTER].split()
    assert TEN_WORDS.startswith(item["heard_text"])
    assert abs(len(item["heard_text"].split()) - len(said)) <= 1


def test_words_heard_are_counted_over_several_sentences(scene: CallScene):
    scene.say("utt_1", "First one. Second one. Third one.")
    scene.speak()
    scene.play(*scene.marks()[:4])  # 1200 ms of 500 + 550 + 500 ms
    scene.request("clear")
    assert scene.spoken_items("utt_1")[-1]["heard_text"] == "First one. Second one. Third"


def test_an_utterance_without_barge_in_is_spoken_to_its_end(scene: CallScene):
    scene.say("utt_1", TEN_WORDS, barge_in=False)
    scene.speak()
    scene.hear(tone(400, 1000))
    assert {"type": "clear"} not in scene.world.sent
    scene.play(*scene.marks())
    assert scene.spoken_items("utt_1")[-1]["state"] == "finished"


def test_barge_in_ends_what_waits_but_not_what_may_not_be_interrupted(scene: CallScene):
    scene.say("utt_1", TEN_WORDS)
    scene.say("utt_2", "More.")
    scene.say("utt_3", "Important.", barge_in=False)
    scene.speak()
    scene.play(scene.marks()[0])
    scene.hear(tone(400, 200))
    assert scene.spoken_items("utt_2")[-1]["heard_text"] == ""
    assert scene.spoken_items("utt_2")[-1]["why"] == "barge_in"
    assert scene.speak() == ["Important."]
    scene.play(*scene.marks())
    assert scene.spoken_items("utt_3")[-1]["state"] == "finished"


def test_what_may_not_be_interrupted_is_not_sent_behind_what_may(scene: CallScene):
    scene.say("utt_1", "Hello.")
    scene.say("utt_2", "Important.", barge_in=False)
    assert scene.speak() == ["Hello."]
    scene.play(*scene.marks())
    assert scene.speak() == ["Important."]


def test_utterances_follow_each_other_without_a_gap(scene: CallScene):
    scene.say("utt_1", "Hello.")
    scene.say("utt_2", "How are you?")
    assert scene.speak() == ["Hello.", "How are you?"]


def test_an_utterance_waits_for_a_caller_who_speaks(scene: CallScene):
    scene.hear(tone(400, 300))
    scene.say("utt_1", "Hello.")
    assert scene.speak() == []
    scene.wait(500)
    assert scene.speak() == ["Hello."]


def test_an_utterance_does_not_wait_for_ever_and_only_new_speech_interrupts_it(scene: CallScene):
    scene.hear(tone(400, 300))
    scene.say("utt_1", TEN_WORDS)
    scene.speak()
    scene.hear(tone(400, 5100))
    assert scene.speak() == [TEN_WORDS]
    scene.play(scene.marks()[0])
    scene.hear(tone(400, 1000))
    assert {"type": "clear"} not in scene.world.sent
    scene.hear(silence(500) + tone(400, 200))
    assert {"type": "clear"} in scene.world.sent


def test_interrupt_replaces_even_what_may_not_be_interrupted(scene: CallScene):
    scene.say("utt_1", TEN_WORDS, barge_in=False)
    scene.speak()
    scene.say("utt_2", "Wait.", interrupt=True)
    assert scene.spoken_items("utt_1")[-1]["why"] == "replaced"
    assert scene.world.sent[-2] == {"type": "clear"}
    assert scene.speak() == ["Wait."]


def test_clear_tells_what_it_dropped(scene: CallScene):
    scene.say("utt_1", TEN_WORDS)
    scene.say("utt_2", "More.")
    scene.speak()
    assert scene.result(scene.request("clear")) == {"cleared": ["utt_1", "utt_2"]}
    assert scene.result(scene.request("clear")) == {"cleared": []}


def test_marks_of_what_was_cleared_change_nothing(scene: CallScene):
    scene.say("utt_1", TEN_WORDS)
    scene.speak()
    scene.request("clear")
    before = len(scene.world.items)
    scene.play(*scene.marks())
    assert len(scene.world.items) == before


def test_audio_that_the_engine_still_makes_for_what_is_over_is_not_sent(scene: CallScene):
    scene.say("utt_1", "Hello.")
    piece = scene.call.next_piece(scene.now)
    assert piece
    scene.request("clear")
    assert not scene.call.playout.audio(piece, tone(1000, 100), scene.now)
    scene.call.playout.sentence_done(piece, scene.now)
    assert scene.world.audio == b""


def test_the_same_utterance_again_is_not_spoken_twice(scene: CallScene):
    scene.say("utt_1", "Hello.")
    scene.speak()
    again = scene.say("utt_1", "Hello.", wait=True)
    scene.play(*scene.marks())
    assert scene.result(again)["state"] == "finished"
    once_more = scene.say("utt_1", "Hello.")
    assert scene.result(once_more)["heard_text"] == "Hello."
    assert scene.speak() == []


def test_a_queue_that_is_full_takes_no_more(scene: CallScene):
    for number in range(MAX_QUEUED):
        scene.result(scene.say(f"utt_{number}", "Hello."))
    assert scene.error(scene.say("utt_more", "Hello."))["code"] == "queue_full"
    scene.result(scene.say("utt_now", "Hello.", interrupt=True))


def test_a_queue_of_long_texts_is_full_sooner(scene: CallScene):
    long = "word " * 400
    for number in range(MAX_QUEUED_TEXT // len(long)):
        scene.result(scene.say(f"utt_{number}", long))
    assert scene.error(scene.say("utt_more", "Hello."))["code"] == "queue_full"


def test_a_voice_that_there_is_not_is_refused_with_those_that_there_are(scene: CallScene):
    error = scene.error(scene.say("utt_1", "Hello.", name="zoe"))
    assert (error["code"], error["choices"]) == ("unknown_voice", ["ann", "bea"])


def test_an_utterance_may_have_a_voice_of_its_own(scene: CallScene):
    scene.say("utt_1", "Bonjour.", language="fr-FR", speed=1.5)
    piece = scene.call.next_piece(scene.now)
    assert piece
    assert (piece.utterance.voice.name, piece.utterance.speed) == ("bea", 1.5)


def test_a_failed_synthesis_ends_the_utterance_and_tells_who_waits(scene: CallScene):
    request = scene.say("utt_1", "Hello.", wait=True)
    piece = scene.call.next_piece(scene.now)
    assert piece
    scene.call.playout.sentence_done(piece, scene.now, failed=True)
    assert scene.error(request)["code"] == "synthesis_failed"
    assert scene.spoken_items("utt_1")[-1]["why"] == "failed"


def test_what_was_made_before_a_failure_is_still_heard(scene: CallScene):
    scene.say("utt_1", "First one. Second one.")
    scene.speak_piece()
    piece = scene.call.next_piece(scene.now)
    assert piece
    scene.call.playout.sentence_done(piece, scene.now, failed=True)
    assert scene.spoken_items("utt_1") == []
    scene.play(*scene.marks())
    item = scene.spoken_items("utt_1")[-1]
    assert (item["state"], item["why"], item["heard_text"]) == (
        "interrupted", "failed", "First one.",
    )  # fmt: skip


def test_a_mark_that_comes_back_unplayed_ends_the_utterance(scene: CallScene):
    scene.say("utt_1", "Hello.")
    scene.speak()
    scene.call.message({"type": "mark", "name": scene.marks()[0], "played": False}, scene.now)
    assert scene.spoken_items("utt_1")[-1]["why"] == "failed"


def test_a_last_mark_that_never_comes_back_ends_the_utterance(scene: CallScene):
    scene.say("utt_1", "Hello.")
    scene.speak()
    scene.wait(300 + round(LOST_S * 1000) - 100)
    assert scene.spoken_items("utt_1") == []
    scene.wait(200)
    assert scene.spoken_items("utt_1")[-1]["state"] == "interrupted"


def test_a_text_without_anything_to_say_is_finished_at_once(scene: CallScene):
    request = scene.say("utt_1", "...", wait=True)
    assert scene.speak() == []
    scene.play(*scene.marks())
    assert scene.result(request)["state"] == "finished"
