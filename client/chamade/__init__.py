"""Calls for AI agents: `Client` (blocking) and `AsyncClient` (asyncio) for the Chamade API.

    from chamade import Client

    with Client() as client:
        for ringing in client.incoming():
            with ringing.accept() as call:
                for frame in call.audio:
                    call.audio.send(frame)

`chamade.webhooks.verify` and `chamade.agent.verify` check who sends webhooks and opens sockets.
"""

from chamade.audio.blocking import Audio
from chamade.audio.line import Format
from chamade.audio.messages import AnsweredBy, Dropped, Dtmf, GreetingEnded, Mark, Refusal, Stop
from chamade.audio.socket import AsyncAudio
from chamade.audio.sound import WavWriter
from chamade.blocking import LiveCall, Ringing
from chamade.client import AsyncClient, Client
from chamade.errors import (
    ApiError,
    AudioLost,
    BadAnswer,
    BadCredentials,
    BadSignature,
    CallGone,
    ChamadeError,
    Conflict,
    Forbidden,
    Invalid,
    NoAudio,
    NotFound,
    RateLimited,
    ServerError,
    Unauthorized,
    Unreachable,
)
from chamade.live import AsyncLiveCall, AsyncRinging
from chamade.models import Call, Did, Event, Number, Trunk, TrunkPreset, VoiceSettings
from chamade.speech_models import Reply, Said, Utterance, Voice, Voices
from chamade.version import VERSION as __version__

__all__ = [
    "AnsweredBy",
    "ApiError",
    "AsyncAudio",
    "AsyncClient",
    "AsyncLiveCall",
    "AsyncRinging",
    "Audio",
    "AudioLost",
    "BadAnswer",
    "BadCredentials",
    "BadSignature",
    "Call",
    "CallGone",
    "ChamadeError",
    "Client",
    "Conflict",
    "Did",
    "Dropped",
    "Dtmf",
    "Event",
    "Forbidden",
    "Format",
    "GreetingEnded",
    "Invalid",
    "LiveCall",
    "Mark",
    "NoAudio",
    "NotFound",
    "Number",
    "RateLimited",
    "Refusal",
    "Reply",
    "Ringing",
    "Said",
    "ServerError",
    "Stop",
    "Trunk",
    "TrunkPreset",
    "Unauthorized",
    "Unreachable",
    "Utterance",
    "Voice",
    "VoiceSettings",
    "Voices",
    "WavWriter",
    "__version__",
]
