"""Remedies for language models: what to do about a failure, in terms of the tools.

A problem's own remedy is a request of REST; these are for models, which have only the tools.
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
    "call_held": "Take it off hold with chamade_call_resume: then they hear you.",
    "call_transferred": (
        "The two parties talk to each other without you. Nothing is left to be done: "
        "chamade_inbox tells when the call ends."
    ),
    "transfer_under_way": (
        "See its `transfer` with chamade_call_status; chamade_inbox tells when it ends, and "
        "chamade_call_transfer_cancel gives it up."
    ),
    "transfer_not_answered": (
        "Wait until `transfer.state` is consulting (chamade_inbox tells `call.transfer.answered`)."
    ),
    "transfer_leg": "Transfer the call that it belongs to, `parent_call_id`, not this one.",
    "no_transfer": "See with chamade_call_status what the call is now.",
    "refer_unsupported": 'Call the tool again with mode "cold".',
    "clip_not_found": "Pass true instead, for music.",
    "call_outbound": (
        "You dialled this call, so the called party answers it. chamade_call_status shows its "
        "state, chamade_call_leave ends it."
    ),
    "hosted_voice_gated": (
        'Do not retry with voice "hosted". The talking process speaks on the call\'s audio '
        "(chamade_call_status); only the operator opens hosted voices to an account."
    ),
    "hosted_voice_unavailable": (
        "Try once more. If it fails again, a talking process has to speak on the call's audio: "
        'pass voice "own" and see chamade_call_status.'
    ),
    "hosted_voice_busy": (
        "Then call the tool again, while the call rings. Where a talking process can speak on the "
        'call\'s audio, pass voice "own" instead.'
    ),
    "not_hosted": (
        "You cannot speak or hear in this call by these tools: another process does, on its audio. "
        'Accept or dial the next call with voice "hosted".'
    ),
    "call_not_active": (
        "If it rings and came in, chamade_call_accept answers it. If you dialled it, wait until "
        "chamade_inbox tells `call.answered`."
    ),
    "no_media": "Then call the tool again. If it fails for long, see chamade_call_status.",
    "queue_full": (
        "Let the caller listen: chamade_call_listen. Or drop what waits by passing interrupt true."
    ),
    "too_much_said": "End the call politely: chamade_call_leave. Nothing more is spoken in it.",
    "too_many_waits": (
        "Let one of your waiting tools end first, or pass wait_s 0 or wait_for_reply_s 0."
    ),
    "not_recorded": 'Start a recording first: chamade_call_record with action "start".',
    "too_many_recordings": "Do not try again in this call. Tell the user.",
    "recordings_full": "Tell the user: some recordings have to be deleted first, by them.",
    "recording_unavailable": "Tell the user: this installation does not record calls.",
    "synthesis_failed": "Say it once more, in other words. If it fails again, tell the user.",
    "media_unavailable": (
        "Then call the tool again. If it fails again, see with chamade_call_status whether the "
        "call is still up, and tell the user."
    ),
    "media_timeout": (
        "It may have been said: look at the transcript with chamade_call_listen before you say it "
        "again."
    ),
    "unknown_voice": "Use one of `choices`, or leave the name out.",
    "unknown_language": "Use one of `choices`, or leave the language out.",
    "no_trunk": (
        "Use a trunk of chamade_trunk_list. If there is none, the user has to connect it "
        "themselves (`chamade trunk connect`, or the dashboard): it takes the trunk's password, "
        "which must not be told to you."
    ),
    "trunk_not_registered": (
        "See `status` and `detail` of chamade_trunk_list: if it is registering, try again in a few "
        "seconds; if it failed, tell the user what `detail` says."
    ),
    "vault_missing": "Tell the user: the operator of this installation has to set it up.",
    "vault_unavailable": "Try again later; if the error persists, tell the user.",
    "country_not_allowed": (
        "Do not try other ways. Tell the user: the trunk's allowed_countries are set together with "
        "its password, by them."
    ),
    "premium_number": "Do not try other ways. Tell the user that such numbers are never dialled.",
    "bad_number": (
        "Ask the user for the whole number, and write it sip:+COUNTRYCODENUMBER@HOST without a "
        "leading 0 behind the country code."
    ),
    "wrong_host": "Use a `host` that chamade_trunk_list shows behind the @.",
    "bad_caller_id": (
        "Leave caller_id out, or use the trunk's caller_id or one of its dids whose `called_at` is "
        "not null (chamade_trunk_list)."
    ),
    "no_caller_id": (
        "Pass one of the dids of chamade_trunk_list whose `called_at` is not null as caller_id. "
        "If there is none, the user has to set the trunk's caller_id, or call one of the dids once."
    ),
    "headers_too_long": "Send fewer or shorter `sip_headers`.",
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
        "chamade_trunk_list and have tools of their own."
    ),
    "pool_empty": "Try another country, or tell the user that the operator has to add numbers.",
    "too_many_numbers": (
        "Ask the user which number of chamade_number_list to give back, if any: "
        "chamade_number_release."
    ),
    "number_taken": (
        "If chamade_trunk_list lists it, change it with chamade_trunk_did_change. Otherwise it "
        "is added elsewhere, and the user has to settle that with the operator."
    ),
    "number_reserved": (
        "It is a routing number of this installation, see chamade_number_list: it needs no trunk. "
        "Ask the user for a number of their carrier's."
    ),
    "too_many_dids": "Ask the user which number to remove first: chamade_trunk_did_remove.",
    "too_many_polls": "Then call chamade_inbox again with the same `after`; with wait_s 0 at once.",
    "too_many_requests": "Then call the tool again, if it is still wanted.",
    "too_busy": "Call the tool again.",
    "unavailable": "Check what has been done, then call the tool again if that is still needed.",
    "internal_error": (
        "Something is wrong with the service. Check what has been done before you try again."
    ),
}

_READING = {
    "internal_error": "Something is wrong with the service. Try again once.",
    "unavailable": "Call the tool again; if the error persists, tell the user.",
}
"""Remedies by code for tools that change nothing."""

OTHERWISE = "Tell the user what `detail` says."
"""The remedy for codes without one of their own, such as codes added later."""


def remedy(tool: Tool, code: str, wait_s: str | None) -> str:
    """Return the remedy for a tool's failure; `wait_s`: seconds after which it may be repeated."""
    text = _BY_CODE.get(code, OTHERWISE)
    if tool.read_only:
        text = _READING.get(code, text)
    return f"Wait {wait_s} s. {text}" if wait_s is not None else text


def known_codes() -> frozenset[str]:
    """Return the codes that have a remedy of their own."""
    return frozenset(_BY_CODE)
