"""A phone of PJSIP, by its library PJSUA2."""

from __future__ import annotations

import os
import queue

import pjsua2 as pj
from settings import Settings, read_commands, read_settings, tell

_POLL_MS = 10
_BUFFER_MS = 100


class Sound:
    """The microphone and the recorder of the one call."""

    def __init__(self, settings: Settings) -> None:
        self._microphone, self._recorder = pj.AudioMediaPlayer(), pj.AudioMediaRecorder()
        self._microphone.createPlayer(settings.says)
        self._recorder.createRecorder(settings.heard)

    def connect(self, media: pj.AudioMedia) -> None:
        """Let both sides hear each other."""
        media.startTransmit(self._recorder)
        self._microphone.startTransmit(media)


class Call(pj.Call):
    """A call of either direction."""

    def __init__(self, account: Account, id_: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(account, id_)
        self._sound = account.sound

    def onCallState(self, _: pj.OnCallStateParam) -> None:
        """Tell how far the call is."""
        about = self.getInfo()
        if about.state == pj.PJSIP_INV_STATE_EARLY:
            tell("ringing")
        elif about.state == pj.PJSIP_INV_STATE_CONFIRMED:
            tell("established")
        elif about.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            tell("closed", f"{about.lastStatusCode} {about.lastReason}")

    def onCallMediaState(self, _: pj.OnCallMediaStateParam) -> None:
        """Connect the audio, or tell that it is on hold."""
        about = self.getInfo()  # kept: `media` is part of it
        media = about.media[0]
        if media.status == pj.PJSUA_CALL_MEDIA_LOCAL_HOLD:
            tell("held")
        elif media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
            self._sound.connect(self.getAudioMedia(media.index))
            secure = "SRTP status: Active" in self.dump(True, "")
            tell("audio", "SRTP" if secure else "RTP")

    def onDtmfDigit(self, pressed: pj.OnDtmfDigitParam) -> None:
        """Tell a key of the far end."""
        tell("key", pressed.digit)


class Account(pj.Account):
    """The account of the phone. It has one call at a time."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.sound = Sound(settings)
        self._settings = settings
        self.call: Call | None = None
        config = pj.AccountConfig()
        config.idUri = f"sip:{settings.user}@{settings.host}:{settings.port}"
        config.mediaConfig.transportConfig.port = settings.rtp_port
        config.mediaConfig.transportConfig.boundAddress = settings.host
        if settings.encrypted:
            config.mediaConfig.srtpUse = pj.PJMEDIA_SRTP_OPTIONAL
            config.mediaConfig.srtpSecureSignaling = 0
        self.create(config)

    def onIncomingCall(self, incoming: pj.OnIncomingCallParam) -> None:
        """Let a call ring."""
        self.call = Call(self, incoming.callId)
        self._answer(180)
        tell("incoming")

    def take(self, command: str, argument: str) -> None:
        """Do what the test says."""
        match command:
            case "dial":
                self.call = Call(self)
                self.call.makeCall(argument, pj.CallOpParam(True))
            case "accept":
                self._answer(200)
            case "press":
                self._press(argument)
            case "hold":
                self.call.setHold(pj.CallOpParam(True))
            case "resume":
                again = pj.CallOpParam(True)
                again.opt.flag = pj.PJSUA_CALL_UNHOLD
                self.call.reinvite(again)
            case "hang_up":
                self.call.hangup(pj.CallOpParam(True))

    def _press(self, keys: str) -> None:
        pressed = pj.CallSendDtmfParam()
        pressed.digits = keys
        if self._settings.keys == "info":
            pressed.method = pj.PJSUA_DTMF_METHOD_SIP_INFO
        self.call.sendDtmf(pressed)

    def _answer(self, code: int) -> None:
        answer = pj.CallOpParam(True)
        answer.statusCode = code
        self.call.answer(answer)


def start(endpoint: pj.Endpoint, settings: Settings) -> Account:
    """Start the library on the settings' port; return the account."""
    config = pj.EpConfig()
    config.logConfig.level = config.logConfig.consoleLevel = 0
    config.uaConfig.threadCnt, config.uaConfig.mainThreadOnly = 0, True
    # Nothing that changes samples: no other rate, no echo canceller, no silence detector.
    config.medConfig.clockRate = config.medConfig.sndClockRate = 8000
    config.medConfig.noVad, config.medConfig.ecTailLen = True, 0
    config.medConfig.jbInit = config.medConfig.jbMinPre = config.medConfig.jbMaxPre = _BUFFER_MS
    endpoint.libInit(config)
    transport = pj.TransportConfig()
    transport.port, transport.boundAddress = settings.port, settings.host
    endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
    endpoint.libStart()
    endpoint.audDevManager().setNullDev()
    for codec in endpoint.codecEnum2():
        wanted = codec.codecId.upper().startswith(settings.codec.upper() + "/")
        endpoint.codecSetPriority(codec.codecId, 255 if wanted else 0)
    return Account(settings)


def main() -> None:
    """Run until the test says quit."""
    settings = read_settings()
    endpoint = pj.Endpoint()
    endpoint.libCreate()
    account = start(endpoint, settings)
    commands: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
    read_commands(lambda command, argument: commands.put((command, argument)))
    tell("ready", endpoint.libVersion().full)
    while True:
        endpoint.libHandleEvents(_POLL_MS)
        while not commands.empty():
            command, argument = commands.get()
            if command == "quit":
                os._exit(0)  # not by way of the library's destructors, which assert
            account.take(command, argument)


main()
