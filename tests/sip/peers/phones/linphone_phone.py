"""A phone of Linphone, by Debian's `linphonec`: commands and messages of its console."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from pathlib import Path

from settings import Settings, read_commands, read_settings, tell

_RC = """\
[sip]
sip_port={port}
sip_tcp_port=0
sip_tls_port=0
contact="phone" <sip:{user}@{host}>
use_info={info}
use_rfc2833={events}
media_encryption={encryption}
auto_net_state_mon=0
use_ipv6=0
[rtp]
audio_rtp_port={rtp_port}
audio_adaptive_jitt_comp_enabled=0
audio_jitt_comp=100
[sound]
echocancellation=0
agc=0
[video]
enabled=0
automatically_initiate=0
automatically_accept=0
[net]
firewall_policy=1
nat_address={host}
"""
_LOG = Path("linphone.log")
_SECURE = "Negotiated media encryption is LinphoneMediaEncryptionSRTP"
_STATUS = re.compile(r"^SIP/2.0 .*", re.MULTILINE)
_CODEC = re.compile(r"\s*(\d+): (\w+) \(8000\) disabled")
_TOLD = [
    (re.compile(r"Receiving new incoming call"), "incoming"),
    (re.compile(r"Call \d+ to .* ringing"), "ringing"),
    (re.compile(r"Media streams established"), "established"),
    (re.compile(r"Call \d+ with .* is now paused"), "held"),
    (re.compile(r"Call \d+ with .* (?:ended|error)"), "closed"),
    (re.compile(r"Receiving tone (.)"), "key"),
]


class Console:
    """The console of one linphonec."""

    def __init__(self, settings: Settings) -> None:
        self._codec = settings.codec.upper()
        for folder in (".local/share/linphone", ".config/linphone"):
            Path(folder).mkdir(parents=True, exist_ok=True)
        by_info = settings.keys == "info"
        filled = _RC.format(
            host=settings.host,
            port=settings.port,
            user=settings.user,
            rtp_port=settings.rtp_port,
            info=int(by_info),
            events=int(not by_info),
            encryption="srtp" if settings.encrypted else "none",
        )
        Path("rc").write_text(filled)
        self._process = subprocess.Popen(
            ["linphonec", "-c", "rc", "-S", "-d", "6", "-l", str(_LOG)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sys.stderr, text=True, bufsize=1,
        )  # fmt: skip
        self.say("ipv6 disable")
        self.say("soundcard use files")
        self.say(f"play {settings.says}")
        self.say(f"record {settings.heard}")
        self.say("codec disable all")

    def say(self, command: str) -> None:
        """Type a command."""
        self._process.stdin.write(command + "\n")

    def take(self, command: str, argument: str) -> None:
        """Do what the test says."""
        match command:
            case "dial":
                self.say(f"call {argument}")
            case "accept":
                self.say("answer")
            case "press":
                self.say(argument)
            case "hold":
                self.say("pause")
            case "resume":
                self.say("resume")
            case "hang_up":
                self.say("terminate")
            case "quit":
                self._process.kill()

    def listen(self) -> None:
        """Tell what the console says, until it ends."""
        for line in self._process.stdout:
            print(line.rstrip(), file=sys.stderr, flush=True)
            codec = _CODEC.match(line)
            if codec and codec[2] == self._codec:
                self.say(f"codec enable {codec[1]}")
            if re.match(rf"\s*\d+: {self._codec} \(8000\) enabled", line):
                tell("ready", version())
            if "Media streams established" in line and _SECURE in _LOG.read_text(errors="replace"):
                tell("audio", "SRTP")
            for pattern, event in _TOLD:
                if found := pattern.search(line):
                    tell(event, found[1] if pattern.groups else "")
            if "error" in line and _LOG.exists():
                said = _STATUS.findall(_LOG.read_text(errors="replace"))
                print(f"the last answers: {said[-3:]}", file=sys.stderr, flush=True)


def version() -> str:
    """Return the version that linphonec says."""
    said = subprocess.run(["linphonec", "-v"], capture_output=True, text=True, check=False).stdout
    return said.strip()


console = Console(read_settings())
threading.Thread(target=console.listen, daemon=True).start()
read_commands(console.take).join()
