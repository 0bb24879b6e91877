"""Tools for calls, with their descriptions for language models; those for what is said in them are
in `speech_tools.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.handlers.mcp.tool import Tool

CALL_ID = 'The call\'s id, "call_…", from chamade_inbox, chamade_call_list or chamade_call_join.'
_AUDIO = (
    "`audio` in the result is for the process that talks: it opens a WebSocket to `audio.url` with "
    "the header `Authorization: Bearer <audio.token>` and then receives and sends raw audio "
    "(16-bit little-endian PCM, 16 kHz, mono). The token opens this one call's audio and nothing "
    "else; pass it to that process, do not show it to the user."
)
VOICE = (
    '"hosted": this service speaks what you tell it to, and hears; a closed beta. "own": a '
    "process of yours does, on the call's audio."
)
VOICE_SETTINGS = (
    'Only with voice "hosted": `language` (BCP 47), `name` (of a voice), `speed` (0.5 to 2). What '
    "is left out is as the number has it."
)
SHOWN_ENTRIES = 20
AGENT_URL = (
    "ws:// or wss:// URL of an agent's own WebSocket server, which is connected as soon as a call "
    "is answered: then no process has to connect to `audio.url`. Only one that the user named."
)


def _inbox_defaults(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the defaults of the inbox: without a cursor recent events at once, with one a wait for
    the next."""
    return {"after": "recent", "wait_s": 20 if given.get("after") else 0, "limit": 20}


CALL_TOOLS = (
    Tool(
        name="chamade_inbox",
        title="What happened, or wait for what comes",
        operation="list_events",
        description=(
            "Events of the account, oldest first: calls that ring, were answered, ended; numbers "
            "and trunk that changed. Use it to learn of calls, and to wait for one.\n"
            "Without `after`: the last five minutes (20 events at most), at once. Then hand the "
            "`cursor` of each result back as `after`: the call waits up to `wait_s` seconds for "
            "the next event and returns what came, maybe nothing; repeat for as long as you want "
            "to wait. No event is lost between two calls, however long they are apart.\n"
            'Next: for a `call.ringing` with data.call.direction "inbound" that no later event '
            "of the same `call_id` follows: chamade_call_accept or chamade_call_refuse, before "
            "data.call.ring_deadline (60 s after it began)."
        ),
        arguments={
            "after": (
                'The `cursor` of the previous result. Or "latest": only what comes from now on. '
                "Leave it out the first time."
            ),
            "wait_s": (
                "Seconds to wait for an event if there is none yet, 0 to 20. Default: 20 with "
                "`after`, 0 without."
            ),
            "limit": "How many events at most, 1 to 100; default 20. The rest comes next time.",
        },
        renamed={"wait_s": "wait"},
        defaults=_inbox_defaults,
        read_only=True,
        idempotent=True,
    ),
    Tool(
        name="chamade_call_accept",
        title="Answer a ringing call",
        operation="accept_call",
        description=(
            "Answer an incoming call that rings. From then on the caller is connected and waits "
            'to hear somebody. If the result has `voice` "hosted", speak at once: '
            "chamade_call_say greets them and returns what they answer. Otherwise connect the "
            "talking process within 30 s, or the call ends.\n"
            f"{_AUDIO}\n"
            "If the caller, the clock or another agent was faster, it fails and `call` says what "
            'the call is now. A call that is already "active" needs no accept: get its audio '
            "with chamade_call_status.\n"
            "Next: chamade_call_say, or hand the audio over; chamade_inbox tells when the call "
            "ends."
        ),
        arguments={
            "call_id": CALL_ID,
            "voice": f"{VOICE} Default: hosted, if the account may and no agent_url is set.",
            "voice_settings": VOICE_SETTINGS,
        },
        idempotent=True,
    ),
    Tool(
        name="chamade_call_refuse",
        title="Decline a ringing call",
        operation="refuse_call",
        description=(
            "Decline an incoming call that rings: the caller hears a busy tone, and that cannot be "
            "undone. Use it when the user does not want this call; for a call that was answered "
            "use chamade_call_leave."
        ),
        arguments={"call_id": CALL_ID},
        destructive=True,
        idempotent=True,
    ),
    Tool(
        name="chamade_call_leave",
        title="Hang up",
        operation="leave_call",
        description=(
            "Hang up at once, whatever the call is doing; a call that you dialled stops ringing. "
            "What was still to be heard is cut off: say goodbye first, with chamade_call_say and "
            "`wait` true. A talking process rather hangs up itself when its last words were "
            "played."
        ),
        arguments={"call_id": CALL_ID},
        destructive=True,
        idempotent=True,
    ),
    Tool(
        name="chamade_call_join",
        title="Call a phone number",
        operation="dial_call",
        description=(
            "Dial out through a SIP trunk of the user's own. A real phone rings and it may cost "
            "money; calling the tool again dials again, so after a failure without an answer look "
            'at chamade_call_list (direction "outbound") first.\n'
            'The result is the call, "connecting". chamade_inbox or chamade_call_status tell '
            'whether it rings, is answered ("active"), or how it failed ("busy", "no_answer", '
            '…). If its `voice` is "hosted", greet them with chamade_call_say once it is answered, '
            "and say who calls. Otherwise connect the talking process now: audio flows from the "
            "moment somebody answers.\n"
            f"{_AUDIO}"
        ),
        arguments={
            "meeting_url": (
                "Whom to call: sip:NUMBER@HOST, the number in E.164 form and HOST a trunk's "
                "host, as in sip:+33199001234@sip.carrier.example. chamade_trunk_list says the "
                "host."
            ),
            "trunk": (
                "The name of the trunk to dial through. Only needed if several have that host; "
                "default then: the one that has `caller_id`, else the first."
            ),
            "caller_id": (
                "The number to call as, E.164. Default: the trunk's caller_id. Otherwise one of "
                "the trunk's numbers that has been called before."
            ),
            "detect_answer": (
                '"on": find out whether a person, a machine or a fax answers; "greeting_end": and '
                "when a machine's greeting is over, to leave a message. chamade_inbox tells it "
                '(call.answered_by, call.machine_greeting_ended). Default: "off".'
            ),
            "caller_name": "The name to show beside the number; many networks show their own.",
            "sip_headers": (
                "Headers for the SIP INVITE, X-… or User-to-User, by name: for systems at the "
                "other end that ask for them. Rarely needed."
            ),
            "agent_url": AGENT_URL,
            "voice": f"{VOICE} Default: hosted, if the account may and agent_url is not given.",
            "voice_settings": VOICE_SETTINGS,
            "metadata": (
                "A JSON object of yours, at most 4,096 bytes, shown in the call, in its events, "
                "and to the talking process."
            ),
            "max_duration_s": (
                "Seconds after which the call is ended, 10 or more; default and maximum are the "
                "account's limit (14,400)."
            ),
            "ring_timeout_s": "Seconds that it may ring, 5 to 300; default 60.",
        },
        fixed={"platform": "sip"},
        open_world=True,
    ),
    Tool(
        name="chamade_call_status",
        title="See one call",
        operation="get_call",
        description=(
            "A call as it is now: `state` (connecting, ringing, active; over: missed, declined, "
            "ended, failed), `end_reason`, who called whom, its history, and while it is not over "
            "its audio. With a hosted voice, `transcript` has the last 20 things that were said.\n"
            f"{_AUDIO}"
        ),
        arguments={"call_id": CALL_ID},
        fixed={"transcript": SHOWN_ENTRIES},
        read_only=True,
        idempotent=True,
    ),
    Tool(
        name="chamade_call_list",
        title="List calls",
        operation="list_calls",
        description=(
            "The account's calls, newest first. Use it for what was (missed calls, yesterday's "
            "callers) or to find a call; to wait for calls use chamade_inbox. If `next_cursor` is "
            "not null there are more: pass it as `cursor` with the same filters. With a filter a "
            "page may be short, even empty, and still go on."
        ),
        arguments={
            "state": "Only calls in this state.",
            "direction": 'Only "inbound" or "outbound" calls.',
            "limit": "How many at most, 1 to 100; default 10.",
            "cursor": "`next_cursor` of the previous page.",
        },
        defaults=lambda given: {"limit": 10},  # noqa: ARG005
        read_only=True,
        idempotent=True,
    ),
)
