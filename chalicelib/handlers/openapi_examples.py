"""Examples of answers, for the description of the API; by the name of their view."""

from __future__ import annotations

from typing import Any

_CALL = {
    "call_id": "call_kqjtvrudv2eky6h5hflyw7sv2e",
    "version": 2,
    "state": "active",
    "end_reason": None,
    "sip_code": None,
    "platform": "sip",
    "direction": "inbound",
    "from": "+33612345678",
    "to": "+15555500103",
    "line": "+15555500103",
    "forwarded_from": None,
    "provider": "gateway",
    "provider_call_id": "CA0123456789abcdef0123456789abcdef",
    "auto_answer": False,
    "created_at": "2026-11-22T15:36:40.011Z",
    "updated_at": "2026-11-22T15:36:44.820Z",
    "ring_deadline": "2026-11-22T15:37:40.011Z",
    "answered_at": "2026-11-22T15:36:44.820Z",
    "ended_at": None,
    "max_duration_s": 14400,
    "metadata": {},
    "history": [
        {
            "version": 1,
            "state": "ringing",
            "at": "2026-11-22T15:36:40.011Z",
            "end_reason": None,
        },
        {
            "version": 2,
            "state": "active",
            "at": "2026-11-22T15:36:44.820Z",
            "end_reason": None,
        },
    ],
    "capabilities": ["audio_in", "audio_out"],
    "audio": {
        "url": "wss://relay.example/media/agent/call_kqjtvrudv2eky6h5hflyw7sv2e",
        "token": "call_kqjtvrudv2eky6h5hflyw7sv2e.agent.1795390660.mN3vZ…",
        "expires_at": "2026-11-22T19:37:40.000Z",
        "format": "pcm_s16le",
        "sample_rate": 16000,
        "channels": 1,
        "frame_duration_ms": 20,
        "frame_bytes": 640,
    },
}

_DID = {
    "e164": "+33199005678",
    "trunk_id": "trunk_mfzwizltoruw63lbnrsxg5dfmu",
    "label": "Desk",
    "agent_url": None,
    "auto_answer": True,
    "added_at": "2026-11-20T09:12:00.000Z",
    "called_at": "2026-11-21T10:00:03.204Z",
}

EXAMPLES: dict[str, dict[str, Any]] = {
    "Call": _CALL,
    "Number": {
        "e164": "+15555500103",
        "country": "US",
        "auto_answer": False,
        "label": "Desk",
        "agent_url": None,
        "activated_at": "2026-11-20T09:10:00.000Z",
    },
    "Did": _DID,
    "Trunk": {
        "trunk_id": "trunk_mfzwizltoruw63lbnrsxg5dfmu",
        "provider": "gateway",
        "host": "sip.carrier.example",
        "port": 5060,
        "transport": "udp",
        "username": "acct42",
        "realm": None,
        "caller_id": "+33199005678",
        "allowed_countries": ["FR"],
        "revision": 1,
        "status": "registered",
        "sip_code": 200,
        "detail": "",
        "status_at": "2026-11-20T09:11:02.511Z",
        "created_at": "2026-11-20T09:11:00.000Z",
        "updated_at": "2026-11-20T09:11:00.000Z",
        "dids": [_DID],
    },
    "Event": {
        "event_id": "evt_kqjtvrudv2eky6h5hflyw7sv2e_002",
        "type": "call.answered",
        "at": "2026-11-22T15:36:44.820Z",
        "call_id": "call_kqjtvrudv2eky6h5hflyw7sv2e",
        "version": 2,
        "data": {"call": {key: value for key, value in _CALL.items() if key != "audio"}},
    },
    "Account": {
        "account_id": "acc_8139602a8a3b7fc65cb2aaf5",
        "name": "Ada's agents",
        "created_at": "2026-11-20T09:00:00.000Z",
        "hosted_voice": False,
        "limits": {
            "max_numbers": 5,
            "max_keys": 20,
            "max_concurrent_calls": 20,
            "max_concurrent_dials": 5,
            "max_dials_per_minute": 10,
            "max_call_s": 14400,
            "max_waiting_polls": 5,
        },
    },
}
