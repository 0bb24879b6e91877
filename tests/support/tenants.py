"""Two accounts that both have one of everything, for tests that neither can reach what belongs to
the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chalicelib import bootstrap
from chalicelib.domain.call import Call
from chalicelib.domain.call_transitions import Act
from chalicelib.domain.voice import CallVoice, VoiceSettings
from chalicelib.domain.voice_report import Heard, Report
from chalicelib.handlers.clips import SILENT_WAV
from chalicelib.handlers.operation import OPERATIONS, Operation
from chalicelib.services.call import compose, facts, recordings, voice_reports
from chalicelib.services.call.transition import settle
from chalicelib.services.operator import account_admin
from common.call_facts import FactsReport, Piece, Sums, pack
from tests.support.http import Api
from tests.support.object_store import objects_of
from tests.support.world import World


@dataclass
class Tenant:
    """An account. `things` are the values of path parameters that lead to its resources, by the
    group of the operations and the parameter's name.
    """

    world: World
    account_id: str
    key: str
    things: dict[tuple[str, str], str] = field(default_factory=dict)

    def path_of(self, operation: Operation) -> dict[str, str]:
        """Return the operation's path parameters for resources of this account. Raises KeyError,
        which names an operation that has no fixture.
        """
        found = {}
        for name in operation.path_names:
            if (operation.group, name) not in self.things:
                raise KeyError(
                    f"{operation.name}: what is {{{name}}} of {operation.group}? Make one in "
                    "tests/support/tenants.py, so that strangers can be shown not to get at it"
                )
            found[name] = self.things[operation.group, name]
        return found

    def url_of(self, operation: Operation) -> str:
        """Return the operation's path for resources of this account."""
        return operation.path.format(**self.path_of(operation))

    @property
    def secrets(self) -> list[str]:
        """Return the strings that must not appear in answers to others."""
        return [self.account_id, *self.things.values()]


def settle_in(api: Api, number: str) -> Tenant:
    """Make an account with two of everything that is listed in pages, and one of everything else;
    `number` is the DID of its trunk.
    """
    world = api.world
    account_id, key = world.new_account()
    tenant = Tenant(world, account_id, key)
    endpoint = made(api, key, "/api/webhooks", {"url": "https://agent.example/chamade"})
    endpoint_id = endpoint["endpoint_id"]
    deliveries = [made(api, key, f"/api/webhooks/{endpoint_id}/test", None) for _ in range(2)]
    e164 = world.new_number(account_id)
    name = f"trunk-{number[-4:]}"
    for each in ("main", name):
        world.register_trunk(account_id, name=each)
        world.new_did(number, account_id, name=each)
    world.clock.advance(0.001)
    calls = [world.ringing(e164) for _ in range(2)]
    _make_levels(world, calls[-1], number)
    hosted = hosted_call(world, account_id, e164, f"This is the account of {number}.")
    recorded = settle(world.deps, world.ringing(e164), Act.ANSWER)
    recording_id = _record(recorded)
    keys = [made(api, key, "/api/keys", {"label": "second"})["key_id"] for _ in range(2)]
    made_clip = api.call("PUT", f"/api/clip/clip-{number[-4:]}", {"wav": SILENT_WAV}, key=key)
    assert made_clip.status_code == 201, made_clip.body
    tenant.things = {
        ("clips", "name"): f"clip-{number[-4:]}",
        ("calls", "call_id"): calls[-1].call_id,
        ("recordings", "call_id"): recorded.call_id,
        ("recordings", "recording_id"): recording_id,
        ("speech", "call_id"): hosted.call_id,
        ("numbers", "e164"): e164,
        ("trunks", "e164"): number,
        ("trunks", "name"): name,
        ("keys", "key_id"): keys[0],
        ("endpoints", "endpoint_id"): endpoint_id,
        ("endpoints", "delivery_id"): deliveries[-1]["delivery_id"],
    }
    return tenant


def _make_levels(world: World, call: Call, number: str) -> None:
    """Have a relay tell levels of a call, which are the digits of a number."""
    levels = pack([int(digit) for digit in number.removeprefix("+")])
    piece = Piece(0, levels, levels)
    facts.take_report(
        world.deps, FactsReport(call.call_id, call.created_at, 1, Sums(), piece, relay="relay-1")
    )


def _record(call: Call) -> str:
    """Make a recording of an active call that is ready; return its id."""
    deps = bootstrap.dependencies()
    for action in ("start", "stop"):
        recordings.change(deps, call.account_id, call.call_id, action, "none")
    (recording,) = deps.stores.recordings.of_call(call.call_id)
    objects_of(deps).kept[recording.segment(0)] = bytes(16)
    assert compose.compose(deps, recording.recording_id) == "ready"
    return recording.recording_id


def hosted_call(world: World, account_id: str, e164: str, text: str) -> Call:
    """Make an active call with a hosted voice, in which the caller has said a text."""
    account_admin.set_hosted_voice(world.deps, account_id, True)
    voice = CallVoice("hosted", VoiceSettings(), "ws://10.0.0.5:8705")
    call = settle(world.deps, world.ringing(e164), Act.ANSWER, voice=voice)
    said = Heard(
        type="transcript", sequence=900, text=text, final=True, started_ms=100, ended_ms=900
    )
    voice_reports.take_report(world.deps, call.call_id, Report("voice-1", 1, [said]))
    return call


NOWHERE = {
    "call_id": "call_" + "7" * 26,
    "recording_id": "rec_" + "7" * 26 + "_01",
    "e164": "+33199009999",
    "name": "nowhere",
    "key_id": "key_" + "0" * 16,
    "endpoint_id": "ep_" + "7" * 26,
    "delivery_id": "dlv_" + "7" * 26,
}
"""Path parameters of resources that do not exist."""


def nothing_there(operation: Operation) -> str:
    """Return the operation's path for resources that do not exist."""
    return operation.path.format(**NOWHERE)


def body_of(operation: Operation) -> Any:
    """Return a body that the operation takes."""
    return dict(operation.example or {}) if operation.reads_body else None


def made(api: Api, key: str, path: str, body: Any) -> dict[str, Any]:
    """Send a POST; return the resource that it has made."""
    answer = api.call("POST", path, body, key=key)
    assert answer.status_code in (201, 202), answer.body
    return dict(answer.json_body)


def with_paths() -> list[Operation]:
    """Return the operations on one resource that has to be there. A PUT that creates is none: it
    makes a resource of one's own under any name.
    """
    return [
        operation
        for operation in OPERATIONS.values()
        if operation.path_names and not (operation.method == "PUT" and operation.location)
    ]


def with_keys() -> list[Operation]:
    """Return the operations that need a key."""
    return [each for each in OPERATIONS.values() if not (each.open or each.session)]


def paged() -> list[Operation]:
    """Return the operations that take a cursor."""
    return [operation for operation in OPERATIONS.values() if cursor_of(operation)]


def cursor_of(operation: Operation) -> str | None:
    """Return the name of the parameter that takes a cursor. A place in a transcript is none: it is
    a number, the same for everybody.
    """
    fields = operation.query.model_fields
    names = [name for name in ("cursor", "after") if name in fields]
    return next((name for name in names if fields[name].annotation is not int), None)
