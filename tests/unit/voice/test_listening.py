"""The caller's texts, and requests that wait for them."""

from __future__ import annotations

from common import g711
from tests.unit.voice.call_scene import ANSWERED_AT, ANSWERED_BEFORE_MS, CallScene
from tests.unit.voice.tones import pitch, silence, tone
from voice.core.answers import HOLD_S, MAX_SAID, MAX_SAID_TEXT, MAX_WAITING
from voice.core.call_settings import CallSettings
from voice.core.hearing import KEPT_FINALS, MAX_TURN_TEXT, MAX_UNRECOGNISED
from voice.engines.base import Heard


def test_what_the_caller_says_is_reported_with_its_time(scene: CallScene):
    scene.wait(1000)
    scene.caller_says(400, 400)
    (item,) = scene.world.items
    assert item == {
        "type": "transcript",
        "speaker": "caller",
        "sequence": item["sequence"],
        "text": "hello",
        "final": True,
        "started_ms": ANSWERED_BEFORE_MS + 1000,
        "ended_ms": ANSWERED_BEFORE_MS + 1400,
        "confidence": 0.9,
    }


def test_audio_of_before_that_comes_in_a_burst_has_the_time_at_which_it_was_said():
    scene = CallScene().start()
    scene.ear_works = False
    scene.now += 2.0
    at = scene.now
    burst = silence(500) + tone(400, 400) + silence(1100)
    for start in range(0, len(burst), 320):
        scene.hear(burst[start : start + 320])
        scene.now = at
    scene.ear_works = True
    scene.wait(40)
    (item,) = scene.world.items
    assert item["started_ms"] == ANSWERED_BEFORE_MS + 500


def test_recognition_begins_before_the_turn_is_over_and_is_thrown_away_if_it_is_not(
    scene: CallScene,
):
    scene.ear_works = False
    scene.hear(tone(400, 300) + silence(240))
    assert list(scene.world.turns) == [1]
    first = scene.world.turns[1]
    scene.hear(tone(400, 300) + silence(240))
    assert scene.world.withdrawn == [1]
    assert len(scene.world.turns[1]) > len(first)
    assert scene.texts() == []
    scene.ear_works = True
    scene.wait(300)
    assert scene.texts() == ["hello"]


def test_the_text_is_there_as_soon_as_the_turn_is_over(scene: CallScene):
    scene.caller_says(400)
    (ms,) = scene.world.counts["final"]
    assert ms <= 460


def test_texts_come_in_order_even_if_the_second_is_recognised_first(scene: CallScene):
    scene.ear_works = False
    scene.caller_says(400)
    scene.caller_says(600)
    first, second = scene.world.asked
    scene.call.hearing.recognised(second, Heard("second"), scene.now)
    assert scene.texts() == []
    scene.call.hearing.recognised(first, Heard("first"), scene.now)
    assert scene.texts() == ["first", "second"]
    numbers = [each["sequence"] for each in scene.world.items]
    assert numbers == sorted(set(numbers))


def test_a_turn_without_words_is_no_text_and_holds_up_nothing(scene: CallScene):
    scene.caller_says(1500)
    scene.caller_says(600)
    assert scene.texts() == ["yes"]


def test_turns_beyond_those_that_can_wait_are_counted_as_lost(scene: CallScene):
    scene.ear_works = False
    for _ in range(MAX_UNRECOGNISED + 2):
        scene.caller_says(400)
    assert len(scene.world.asked) == MAX_UNRECOGNISED
    assert len(scene.world.counts["turns_lost"]) == 2
    scene.ear_works = True
    scene.settle()
    scene.caller_says(600)
    assert scene.texts() == ["hello"] * MAX_UNRECOGNISED + ["yes"]


def test_a_confidence_is_from_0_to_1_whatever_the_engine_says(scene: CallScene):
    scene.ear_works = False
    for sure in (1.0001, -0.2, None):
        scene.caller_says(400)
        turn = scene.world.asked.pop()
        scene.call.hearing.recognised(turn, Heard("hello", sure), scene.now)
    assert [each["confidence"] for each in scene.world.items] == [1.0, 0.0, None]


def test_the_recogniser_hears_every_frame(scene: CallScene):
    scene.hear(silence(100) + tone(400, 200))
    assert len(scene.world.fed) == 300 * 16
    assert pitch(bytes(scene.world.fed[100 * 16 :])) == 400


def test_frames_of_any_length_are_put_together():
    scene = CallScene().start()
    audio = tone(400, 400) + silence(500)
    for start in range(0, len(audio), 700):
        scene.now += 0.04375
        scene.call.audio(g711.encode(audio[start : start + 700]), scene.now)
        scene.settle()
    assert scene.texts() == ["hello"]


def test_partial_texts_are_reported_only_if_they_are_wanted():
    quiet = CallScene().start()
    quiet.hear(tone(400, 2500))
    assert quiet.world.partials == []
    scene = CallScene(CallSettings(partials=True, answered_at=ANSWERED_AT)).start()
    scene.hear(tone(400, 1500))
    (turn,) = scene.world.partials
    scene.call.hearing.partly_recognised(turn, "hel", scene.now)
    scene.wait(500)
    scene.call.hearing.partly_recognised(turn, "too late", scene.now)
    partial, final = scene.world.items
    assert (partial["text"], partial["final"]) == ("hel", False)
    assert (final["text"], final["final"]) == ("hello", True)
    assert partial["started_ms"] == final["started_ms"]
    assert partial["sequence"] < final["sequence"]


def test_without_a_transcript_nothing_the_caller_says_is_reported_but_agents_hear_it():
    scene = CallScene(CallSettings(transcript=False, answered_at=ANSWERED_AT)).start()
    request = scene.request("listen", wait_s=10)
    scene.caller_says(400)
    assert scene.world.items == []
    assert [each["text"] for each in scene.result(request)["said"]] == ["hello"]


def test_listen_returns_at_once_what_was_said_after_a_number(scene: CallScene):
    scene.caller_says(400)
    scene.caller_says(600)
    everything = scene.result(scene.request("listen", after=0, wait_s=10))
    assert [each["text"] for each in everything["said"]] == ["hello", "yes"]
    first = everything["said"][0]["sequence"]
    rest = scene.result(scene.request("listen", after=first))
    assert [each["text"] for each in rest["said"]] == ["yes"]
    assert rest["next"] == everything["next"] == rest["said"][-1]["sequence"]


def test_listen_waits_for_the_caller(scene: CallScene):
    scene.caller_says(400)
    request = scene.request("listen", wait_s=10)
    scene.wait(1000)
    assert scene.answer(request) is None
    scene.caller_says(600)
    assert [each["text"] for each in scene.result(request)["said"]] == ["yes"]


def test_listen_ends_without_a_text_and_tells_whether_the_caller_speaks(scene: CallScene):
    request = scene.request("listen", wait_s=1)
    scene.hear(silence(700) + tone(400, 400))
    result = scene.result(request)
    assert (result["said"], result["speaking"]) == ([], True)
    scene.wait(500)
    following = scene.result(scene.request("listen", after=result["next"]))
    assert [each["text"] for each in following["said"]] == ["hello"]
    assert not following["speaking"]


def test_no_text_is_missed_between_listens_while_the_agent_speaks(scene: CallScene):
    following = scene.result(scene.request("listen", after=0))["next"]
    scene.say("utt_1", "Hello.", barge_in=False)
    scene.speak()
    scene.hear(tone(400, 400))
    scene.play(*scene.marks())
    scene.wait(500)
    said = scene.result(scene.request("listen", after=following))["said"]
    assert [each["text"] for each in said] == ["hello"]


def test_listen_returns_so_many_texts_at_once_and_the_rest_with_the_next(scene: CallScene):
    for _ in range(MAX_SAID + 1):
        scene.caller_says(400, 120)
    first = scene.result(scene.request("listen", after=0))
    assert len(first["said"]) == MAX_SAID
    assert len(scene.result(scene.request("listen", after=first["next"]))["said"]) == 1


def test_listen_returns_what_was_heard_of_the_agent_too_since_it_may_not_be_reported_yet(
    scene: CallScene,
):
    scene.say("utt_1", "Hello.")
    scene.speak()
    scene.play(*scene.marks())
    request = scene.request("listen", after=0, wait_s=10)
    assert scene.answer(request) is None, "it waits for the caller"
    scene.caller_says(400)
    result = scene.result(request)
    (uttered,), (said,) = result["uttered"], result["said"]
    (_, item) = scene.spoken_items("utt_1")
    assert uttered == {
        "sequence": item["sequence"],
        "utterance_id": "utt_1",
        "text": "Hello.",
        "started_ms": item["started_ms"],
        "ended_ms": item["started_ms"] + item["heard_ms"],
        "interrupted": False,
    }
    assert uttered["sequence"] < said["sequence"] == result["next"]


def test_an_answer_of_listen_is_never_too_long_and_skips_nothing(scene: CallScene):
    for number in range(6):
        scene.say(f"utt_{number}", "la " * 600)
        while scene.speak():
            scene.now += 20
            scene.play(*scene.marks())
        scene.caller_says(400)
    found, following = [], 0
    while True:
        result = scene.result(scene.request("listen", after=following))
        both = [*result["said"], *result["uttered"]]
        if not both:
            break
        assert sum(len(each["text"]) for each in both) <= MAX_SAID_TEXT
        found += sorted(each["sequence"] for each in both)
        following = result["next"]
    assert found == [each["sequence"] for each in scene.world.items if each.get("sequence")]
    assert len(found) == 12


def test_without_a_transcript_listen_returns_nothing_of_the_agent():
    scene = CallScene(CallSettings(transcript=False, answered_at=ANSWERED_AT)).start()
    scene.say("utt_1", "Hello.")
    scene.speak()
    scene.play(*scene.marks())
    assert scene.result(scene.request("listen", after=0))["uttered"] == []


def test_a_text_that_cannot_have_been_said_is_cut(scene: CallScene):
    scene.ear_works = False
    scene.caller_says(400)
    scene.call.hearing.recognised(scene.world.asked[0], Heard("la " * 2000), scene.now)
    (text,) = scene.texts()
    assert len(text) == MAX_TURN_TEXT


def test_only_the_last_texts_are_kept(scene: CallScene):
    for _ in range(KEPT_FINALS + 1):
        scene.caller_says(400, 120)
    assert len(scene.call.hearing.finals) == KEPT_FINALS


def test_say_waits_for_the_reply(scene: CallScene):
    request = scene.say("utt_1", "Hello?", wait_for_reply_s=10)
    scene.speak()
    scene.wait(300)
    scene.play(*scene.marks())
    assert scene.answer(request) is None
    scene.wait(500)
    scene.caller_says(600)
    result = scene.result(request)
    assert (result["state"], result["heard_text"]) == ("finished", "Hello?")
    assert result["reply"]["text"] == "yes"
    assert result["reply"]["started_ms"] == ANSWERED_BEFORE_MS + 800


def test_a_reply_that_interrupts_is_the_reply(scene: CallScene):
    request = scene.say("utt_1", "one two three four five six seven", wait_for_reply_s=10)
    scene.speak()
    scene.play(scene.marks()[0])
    scene.wait(200)
    scene.caller_says(600)
    result = scene.result(request)
    assert result["state"] == "interrupted"
    assert result["heard_text"] == "one two"
    assert result["reply"]["text"] == "yes"


def test_what_the_caller_said_before_is_no_reply(scene: CallScene):
    scene.caller_says(400)
    request = scene.say("utt_1", "Hello?", wait_for_reply_s=1)
    scene.speak()
    scene.play(*scene.marks())
    scene.wait(900)
    assert scene.answer(request) is None
    scene.wait(200)
    assert scene.result(request)["reply"] is None


def test_a_caller_who_replies_when_the_wait_is_over_is_heard_out(scene: CallScene):
    request = scene.say("utt_1", "Hello?", wait_for_reply_s=1)
    scene.speak()
    scene.play(*scene.marks())
    scene.wait(800)
    scene.caller_says(600, 800)
    assert scene.result(request)["reply"]["text"] == "yes"


def test_say_that_is_cleared_waits_for_no_reply(scene: CallScene):
    request = scene.say("utt_1", "Hello?", wait_for_reply_s=10)
    scene.speak()
    scene.request("clear")
    assert scene.result(request)["state"] == "interrupted"


def test_nobody_waits_for_longer_than_the_one_who_asked(scene: CallScene):
    request = scene.say("utt_1", "one two three four five six seven", wait=True)
    scene.speak()
    scene.play(scene.marks()[0])
    scene.now += HOLD_S - 0.1
    scene.call.tick(scene.now - HOLD_S + 1)
    scene.play(*scene.marks()[1:2])
    assert scene.answer(request) is None
    scene.now += 0.2
    scene.call._answers.tick(scene.now, False)
    result = scene.result(request)
    assert result["state"] == "queued"
    assert result["heard_text"].startswith("one two")


def test_requests_beyond_those_that_may_wait_are_refused(scene: CallScene):
    waiting = [scene.request("listen", wait_s=20) for _ in range(MAX_WAITING)]
    assert scene.error(scene.request("listen", wait_s=20))["code"] == "too_many"
    scene.caller_says(400)
    assert all(scene.answer(each)["ok"] for each in waiting)


def test_a_malformed_request_is_answered_with_what_is_wrong(scene: CallScene):
    for method, params, detail in (
        ("sing", {}, "method is say, clear or listen"),
        ("say", {"utterance_id": "u"}, "text is missing"),
        ("say", {"utterance_id": "u", "text": " "}, "text is blank"),
        ("say", {"utterance_id": "u", "text": "x" * 2001}, "text is a text of at most 2000"),
        ("say", {"utterance_id": "u", "text": "x", "speed": 9}, "speed is a number from 0.5 to 2"),
        ("listen", {"wait_s": True}, "wait_s is a number from 0 to 20"),
    ):
        error = scene.error(scene.request(method, **params))
        assert error["code"] == "bad_request"
        assert error["detail"].startswith(detail)


def test_the_end_of_the_call_ends_everything_and_the_last_words_are_kept(scene: CallScene):
    spoken = scene.say("utt_1", "Hello?", wait_for_reply_s=10, barge_in=False)
    scene.speak()
    scene.play(scene.marks()[0])
    listening = scene.request("listen", wait_s=10)
    scene.hear(tone(800, 400))
    scene.call.message({"type": "stop", "reason": "caller_hangup", "state": "ended"}, scene.now)
    assert scene.error(spoken)["code"] == "call_over"
    assert scene.error(listening)["code"] == "call_over"
    assert scene.spoken_items("utt_1")[-1]["why"] == "call_over"
    scene.settle()
    assert scene.texts() == ["goodbye"]
    assert scene.error(scene.say("utt_2", "Hello?"))["code"] == "call_over"


def test_a_call_that_another_host_had_is_reported_as_resumed():
    scene = CallScene().start(resumed=True)
    assert scene.world.items == [{"type": "resumed"}]


def test_keys_and_unknown_messages_change_nothing(scene: CallScene):
    for message in ({"type": "dtmf", "digit": "5"}, {"type": "new"}, {}, {"type": "mark"}):
        scene.call.message(message, scene.now)
    assert scene.world.items == scene.world.sent == []


def test_after_a_gap_in_the_audio_times_are_right_again(scene: CallScene):
    scene.wait(1000)
    scene.now += 5
    scene.caller_says(400)
    (item,) = scene.world.items
    assert item["started_ms"] == ANSWERED_BEFORE_MS + 6000
