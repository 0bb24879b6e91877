"""A recording of a call that is put on hold and bridged has what its caller said and heard then."""

from __future__ import annotations

from relay.protocol.hold_music import MUSIC
from tests.unit.relay.call_pair import Pair
from tests.unit.relay.test_recorder import FRAME, SILENCE, Line, speech


def test_music_and_the_other_caller_are_recorded_as_they_were_heard() -> None:
    pair = Pair()
    for scene in pair.scenes:
        scene.start_stream()
        scene.join_agent()
    one, two = pair.scenes
    line = Line(one)
    said, others = speech(200), speech(100, seed=2)
    agent = speech(100, seed=3)
    one.bridge.agent_audio(b"".join(agent), one.now)
    line.talk(said[:50])
    pair.change(0, "hold", source={"kind": "music"})
    for frame in said[50:100]:
        line.talk([frame])
        one.bridge.tick(one.now)
    pair.bridge()
    for frame, answer in zip(said[100:200], others, strict=True):
        two.now = one.now
        pair.speak(1, answer)
        line.talk([frame])
    pair.change(0, "agent")
    left, right = line.end()
    assert left.tobytes() == b"".join(said)
    assert right[: 50 * FRAME].tobytes() == b"".join(agent[:50])
    assert right[50 * FRAME : 100 * FRAME].tobytes() == MUSIC[: 50 * FRAME]
    assert right[100 * FRAME : 200 * FRAME].tobytes() == b"".join(others)
    assert (right[200 * FRAME :] == SILENCE).all()
    assert two.provider.heard()[-FRAME:] == said[199]
