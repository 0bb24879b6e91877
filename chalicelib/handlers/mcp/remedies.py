"""What a language model is told to do about a failure, in terms of the tools.

The problem's own `detail` speaks to who reads REST; this to who has tools only.
"""

from __future__ import annotations

from chalicelib.handlers.mcp.tool import Tool

_BY_CODE = {
    "invalid": "Correct the arguments named in `errors` and call the tool again.",
    "bad_cursor": "Call the tool again without `after` or `cursor`.",
    "call_not_found": "Use a call_id as chamade_inbox or chamade_call_list gave it.",
    "call_not_ringing": (
        "Nothing can be accepted or refused any more. If the call is active, chamade_call_status "
        "has its audio and chamade_call_leave hangs up."
    ),
    "call_over": "Nothing is left to be done for this call. Tell the user how it ended.",
    "ring_deadline_passed": (
        "The call is missed. Tell the user who called; chamade_call_join can call back."
    ),
    "call_outbound": (
        "You dialled this call, the other side answers it. chamade_call_status tells how it is "
        "doing, chamade_call_leave gives it up."
    ),
    "hosted_voice_gated": (
        "Do not retry. The talking process speaks on the call's audio (chamade_call_status)."
    ),
    "hosted_voice_unavailable": (
        "Do not retry. The talking process speaks on the call's audio (chamade_call_status)."
    ),
    "no_trunk": (
        "The user has to connect their SIP trunk themselves (`chamade trunk connect`, or "
        "PUT /api/trunk): it takes the trunk's password, which must not be told to you."
    ),
    "trunk_not_registered": (
        "See `status` and `detail` of chamade_trunk_status: if it is registering, try again in a "
        "few seconds; if it failed, tell the user what `detail` says."
    ),
    "vault_missing": "Tell the user: the operator of this installation has to set it up.",
    "vault_unavailable": "Try again later; if it stays so, tell the user.",
    "country_not_allowed": (
        "Do not try other ways. Tell the user: the trunk's allowed_countries are set together with "
        "its password, by them."
    ),
    "premium_number": "Do not try other ways. Tell the user that such numbers are never dialled.",
    "bad_number": (
        "Ask the user for the whole number, and write it sip:+COUNTRYCODENUMBER@HOST without a "
        "leading 0 behind the country code."
    ),
    "wrong_host": "Use the `host` that chamade_trunk_status shows behind the @.",
    "bad_caller_id": (
        "Leave caller_id out, or use the trunk's caller_id or one of its dids whose `called_at` is "
        "not null (chamade_trunk_status)."
    ),
    "no_caller_id": (
        "Pass one of the dids of chamade_trunk_status whose `called_at` is not null as caller_id. "
        "If there is none, the user has to set the trunk's caller_id, or call one of the dids once."
    ),
    "too_long": "Pass a max_duration_s of at most `limit`, or leave it out.",
    "too_many_dials": "Wait until one of your calls is over, or hang one up: chamade_call_leave.",
    "dial_rate": "Wait, then call the tool again if the user still wants that.",
    "recently_declined": (
        "The called party does not want to be called now. Do not try again by yourself: ask the "
        "user."
    ),
    "provider_error": (
        "The call was not placed. Once more is fine; if it fails again, tell the user."
    ),
    "number_not_found": (
        "Use a number as chamade_number_list gives it; the trunk's numbers are in "
        "chamade_trunk_status and have tools of their own."
    ),
    "pool_empty": "Try another country, or tell the user that the operator has to add numbers.",
    "too_many_numbers": (
        "Ask the user which number of chamade_number_list to give back, if any: "
        "chamade_number_release."
    ),
    "number_taken": (
        "If chamade_trunk_status lists it, change it with chamade_trunk_did_change. Otherwise it "
        "is added elsewhere, and the user has to settle that with the operator."
    ),
    "too_many_dids": "Ask the user which number to remove first: chamade_trunk_did_remove.",
    "too_many_requests": "Then call the tool again, if it is still wanted.",
    "too_busy": "Call the tool again.",
    "unavailable": "Look at the state of things, then call the tool again if that is still needed.",
    "internal_error": (
        "Something is wrong with the service. Look at the state of things before you try again."
    ),
}

_READING = {
    "internal_error": "Something is wrong with the service. Try again once.",
    "unavailable": "Call the tool again; if it stays so, tell the user.",
}
"""The same for tools that change nothing."""

OTHERWISE = "Tell the user what `detail` says."
"""For codes that are not there, so too late to be known here."""


def remedy(tool: Tool, code: str, wait_s: str | None) -> str:
    """What to do about a failure of a tool; `wait_s` are seconds after which it may be repeated."""
    told = _BY_CODE.get(code, OTHERWISE)
    if tool.read_only:
        told = _READING.get(code, told)
    return f"Wait {wait_s} s. {told}" if wait_s is not None else told


def known_codes() -> frozenset[str]:
    """The codes that have a remedy of their own."""
    return frozenset(_BY_CODE)
