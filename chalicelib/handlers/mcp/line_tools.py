"""Tools for numbers and trunks, with their descriptions for language models.

None connects a trunk: that needs its password, which must not be in a conversation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.domain.trunk_fields import MAIN
from chalicelib.handlers.mcp.call_tools import AGENT_URL, VOICE
from chalicelib.handlers.mcp.tool import Tool

_E164 = "The number in E.164 form: plus, country code, digits, as in +33612345678."
_AUTO_ANSWER = (
    "true: calls are picked up at once, there is nothing to accept, and the agent's process must "
    "connect to the call's audio within 30 s. false: calls ring until accepted, 60 s at most."
)
_LABEL = "A name for people, at most 100 characters."
_SETTINGS = {
    "e164": _E164,
    "auto_answer": _AUTO_ANSWER,
    "label": _LABEL,
    "agent_url": AGENT_URL,
    "voice": f"{VOICE} It counts for calls that are accepted without a voice.",
    "voice_settings": (
        "Of a hosted voice: `language` (BCP 47), `name` (of a voice), `speed` (0.5 to 2), "
        "`transcript` (false: what is said is not kept)."
    ),
}
_NAME = {"name": f'Which trunk, by its name in chamade_trunk_list. Default "{MAIN}".'}


def _main(given: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG001 - of a tool's defaults
    """Return the trunk that is meant if none is named."""
    return {"name": MAIN}


LINE_TOOLS = (
    Tool(
        name="chamade_number_list",
        title="List phone numbers",
        operation="list_numbers",
        description=(
            "The account's routing numbers: what people dial to reach you. Numbers of the user's "
            "own trunks are in chamade_trunk_list."
        ),
        read_only=True,
        idempotent=True,
    ),
    Tool(
        name="chamade_number_activate",
        title="Get a phone number",
        operation="activate_number",
        description=(
            "Take one more routing number from the pool, on which calls come in from then on. It "
            "may cost money, and an account holds few: look at chamade_number_list first. Each "
            "call of the tool takes another number."
        ),
        arguments={"country": 'Its country: two letters, ISO 3166, as in "FR". Default "US".'},
    ),
    Tool(
        name="chamade_number_change",
        title="Change a phone number's settings",
        operation="change_number",
        description=(
            "Set a routing number's auto-answer, label, agent URL (null: none) or voice. What is "
            "not given stays."
        ),
        arguments=_SETTINGS,
        idempotent=True,
    ),
    Tool(
        name="chamade_number_release",
        title="Give a phone number back",
        operation="release_number",
        description=(
            "Give a routing number back to the pool: calls to it are rejected from then on, and "
            "somebody else may get it. It cannot be undone: ask the user first."
        ),
        arguments={"e164": _E164},
        destructive=True,
    ),
    Tool(
        name="chamade_trunk_list",
        title="List the SIP trunks",
        operation="list_trunks",
        description=(
            "All SIP trunks of the user, through which chamade_call_join dials: their names, "
            "hosts, caller IDs, whether calls can go through them, and their numbers. Most users "
            "have one, called main."
        ),
        read_only=True,
        idempotent=True,
    ),
    Tool(
        name="chamade_trunk_status",
        title="See a SIP trunk and its numbers",
        operation="get_named_trunk",
        description=(
            "One SIP trunk of the user, through which chamade_call_join dials: its host, "
            "caller_id, allowed_countries, whether calls can go through it (`status` is "
            "registered or ready; `detail` says what to do if not), and its numbers (`dids`). No "
            "tool connects a trunk: that takes its password, which is the user's to enter "
            "(`chamade trunk connect`, or the dashboard). Never ask for it."
        ),
        arguments=_NAME,
        defaults=_main,
        read_only=True,
        idempotent=True,
    ),
    Tool(
        name="chamade_trunk_did_add",
        title="Add a number of the trunk",
        operation="add_did_of_named_trunk",
        description=(
            "Take calls that come in through the trunk to one more of its numbers (a DID). The "
            "number must be one that the carrier sends to this trunk: adding it here does not buy "
            "it."
        ),
        arguments={**_SETTINGS, **_NAME},
        defaults=_main,
    ),
    Tool(
        name="chamade_trunk_did_change",
        title="Change a number of the trunk",
        operation="change_did_of_named_trunk",
        description=(
            "Set auto-answer, label, agent URL (null: none) or voice of a trunk's number. What is "
            "not given stays."
        ),
        arguments={**_SETTINGS, **_NAME},
        defaults=_main,
        idempotent=True,
    ),
    Tool(
        name="chamade_trunk_did_remove",
        title="Remove a number of the trunk",
        operation="remove_did_of_named_trunk",
        description=(
            "No longer take calls to a trunk's number: they are rejected from then on. It stays "
            "the user's at the carrier, and can be added again; as a caller ID it then has to be "
            "called once more."
        ),
        arguments={"e164": _E164, **_NAME},
        defaults=_main,
        destructive=True,
    ),
)
