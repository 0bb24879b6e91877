"""The audio of calls for programs without asyncio."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from chamade.audio.line import Format
from chamade.audio.messages import Heard, Stop
from chamade.audio.socket import AsyncAudio
from chamade.portal import Portal

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def _blocking(
    method: Callable[Concatenate[AsyncAudio, Arguments], Coroutine[Any, Any, Result]],
) -> Callable[Concatenate[Audio, Arguments], Result]:
    """Make a method that waits for the result of a method of the asyncio audio."""

    def wait(self: Audio, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        return self._portal.run(method(self._audio, *args, **kwargs))

    wait.__doc__, wait.__name__ = method.__doc__, method.__name__
    return wait


class Audio:
    """Hear and speak on a call: `for frame in call.audio` hears. Like `AsyncAudio`, without
    await.
    """

    def __init__(self, portal: Portal, audio: AsyncAudio) -> None:
        self._portal, self._audio = portal, audio

    next = _blocking(AsyncAudio.next)
    started = _blocking(AsyncAudio.started)
    send = _blocking(AsyncAudio.send)
    clear = _blocking(AsyncAudio.clear)
    mark = _blocking(AsyncAudio.mark)
    dtmf = _blocking(AsyncAudio.dtmf)
    close = _blocking(AsyncAudio.close)

    def play(self, audio: bytes | str | Path) -> bool:
        """Play audio as `AsyncAudio.play` does."""
        return self._portal.run(self._audio.play(audio))

    def __iter__(self) -> Iterator[bytes]:
        return (item for item in self.messages() if isinstance(item, bytes))

    def messages(self) -> Iterator[Heard]:
        """Yield items as `AsyncAudio.messages` does."""
        while (item := self.next()) is not None:
            yield item

    def skip(self) -> None:
        """Discard audio as `AsyncAudio.skip` does."""
        self._portal.run(_soon(self._audio.skip))

    def on_dtmf(self, tell: Callable[[str], None]) -> None:
        """Call `tell(digit)`, in another thread, whenever the caller presses a key."""
        self._portal.run(_soon(self._audio.on_dtmf, tell))

    @property
    def format(self) -> Format:
        """Return the format of frames."""
        return self._audio.format

    @property
    def keys(self) -> str:
        """Return all the keys that the caller has pressed so far."""
        return self._audio.keys

    @property
    def stop(self) -> Stop | None:
        """Return how the call ended, once it has."""
        return self._audio.stop

    @property
    def replaced(self) -> bool:
        """Return whether another agent has taken the call's audio over."""
        return self._audio.replaced


async def _soon(do: Callable[..., None], *args: Any) -> None:
    do(*args)
