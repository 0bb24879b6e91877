"""What every phone program here has in common: settings, commands and events.

A phone program is started with its settings in JSON, reads one command a line from its standard
input, and prints one event a line, in JSON. It belongs to another SIP stack and runs in an
environment of its own, so it imports nothing of the project.
"""

from __future__ import annotations

import json
import sys
import threading
import wave
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """`says` is a WAV file, played in a loop; `heard` gets raw samples. Both are 8 kHz, 16 bits."""

    host: str
    port: int
    rtp_port: int
    user: str
    says: str
    heard: str
    codec: str
    keys: str
    encrypted: bool

    def microphone(self) -> bytes:
        """Return the samples to play."""
        with wave.open(self.says) as file:
            return file.readframes(file.getnframes())


def read_settings() -> Settings:
    """Return the settings of the command line."""
    return Settings(**json.loads(sys.argv[1]))


def tell(event: str, value: str = "") -> None:
    """Print an event for the test."""
    print(json.dumps({"event": event, "value": value}), flush=True)


def read_commands(take: Callable[[str, str], None]) -> threading.Thread:
    """Hand each command and its argument to `take`, in a thread of its own, until input ends."""

    def read() -> None:
        for line in sys.stdin:
            name, _, argument = line.strip().partition(" ")
            take(name, argument)
        take("quit", "")

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    return reader
