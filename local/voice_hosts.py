"""The voice hosts of a stack on this machine. The stack runs without them: a host that ends is
started again, and calls that need one are refused meanwhile.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from local import environment, processes
from local.credentials import Credentials
from local.layout import ROOT, BadSetting, Layout
from local.processes import DidNotStart, Part

MODELS = ROOT / ".venv" / "voice" / "bin" / "python"
"""The Python in whose environment `make voice` installs the models."""
MOST = 2
_LOOK_S = 0.2
_PAUSES_S = 1.0, 30.0
"""Seconds before a host that ended is started again: at first, and at most if it keeps ending."""
_LASTS_S = 60.0
"""A host that ran for as many seconds had started well."""

Say = Callable[[str], None]


def wanted(env: Mapping[str, str] = os.environ, models: Path = MODELS) -> int:
    """Return how many voice hosts to run: as many as `CHAMADE_VOICE_HOSTS` says; if it is unset,
    one if its engine is installed or needs no installation. Raises BadSetting."""
    text = env.get("CHAMADE_VOICE_HOSTS", "")
    if text:
        if text not in map(str, range(MOST + 1)):
            raise BadSetting(f"CHAMADE_VOICE_HOSTS={text!r}: a number from 0 to {MOST} is wanted")
        return int(text)
    return int(models.exists() or env.get("VOICE_ENGINE", "local") != "local")


class VoiceHosts:
    """The voice hosts of a stack, each of which is started again when it ends."""

    def __init__(self, layout: Layout, credentials: Credentials) -> None:
        self._layout, self._credentials = layout, credentials
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._parts: dict[int, Part] = {}

    @property
    def parts(self) -> list[Part]:
        """Return the hosts that were started last, whether or not they still run."""
        with self._lock:
            return [self._parts[index] for index in sorted(self._parts)]

    def start(self) -> None:
        """Start all hosts; their models take some seconds to load."""
        for index in range(self._layout.voice_hosts):
            self._launch(index)

    def wait_until_up(self, say: Say, stopping: Callable[[], bool]) -> None:
        """Wait until each host answers, or say which one does not. Raises Interrupted."""
        for part, url in zip(self.parts, self._layout.voice_urls, strict=True):
            try:
                processes.wait_until_up(part, f"{url}/healthz", stopping)
            except DidNotStart as error:
                say(f"No hosted voices yet: {error}")

    def keep_running(self, say: Say) -> None:
        """Start each host again when it ends, until `stop`. Run it in a thread."""
        pauses = dict.fromkeys(range(self._layout.voice_hosts), 0.0)
        ages = dict.fromkeys(pauses, 0.0)
        first, longest = _PAUSES_S
        while not self._stopping.wait(_LOOK_S):
            for index, part in enumerate(self.parts):
                ages[index] += _LOOK_S
                if not part.dead:
                    continue
                again = pauses[index] and ages[index] < _LASTS_S
                pauses[index] = min(2 * pauses[index], longest) if again else first
                say(
                    f"{part.name} ended (exit code {part.process.returncode}); it is started "
                    f"again in {pauses[index]:.0f} s. {part.log} says why"
                )
                if self._stopping.wait(pauses[index]):
                    return
                self._launch(index)
                ages[index] = 0.0

    def stop(self) -> list[str]:
        """Stop the hosts; return the names of those that had to be killed."""
        self._stopping.set()
        with self._lock:
            return processes.stop(list(self._parts.values()))

    def _launch(self, index: int) -> None:
        logs = self._layout.state_dir / "logs"
        env = environment.voice(self._layout, self._credentials, index, MODELS)
        with self._lock:
            if not self._stopping.is_set():
                self._parts[index] = processes.start(f"voice-{index + 1}", "voice", env, logs)
