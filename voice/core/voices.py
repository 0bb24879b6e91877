"""Choose voice and language of a call among those that the engines have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voice.engines.base import VoiceInfo


class UnknownChoiceError(Exception):
    """There is no such voice or language. `code` is unknown_voice or unknown_language; `choices`
    are those that there are.
    """

    def __init__(self, code: str, choices: list[str]) -> None:
        super().__init__(f"{code}: one of {', '.join(choices)}")
        self.code, self.choices = code, choices


@dataclass(frozen=True, slots=True)
class Choice:
    """A voice to speak with, and a language to listen for."""

    voice: VoiceInfo
    language: str


class Voices:
    """The voices and languages of one host."""

    def __init__(
        self, voices: Sequence[VoiceInfo], heard: Sequence[str], name: str, language: str
    ) -> None:
        """`name` and `language` are the host's defaults; blank: the first. UnknownChoiceError."""
        self.voices = list(voices)
        self._heard = list(heard)
        self.languages = [each for each in heard if any(_fits(v.language, each) for v in voices)]
        if not self.languages:
            raise ValueError("the engine has no voice in a language that it hears")
        self._default = self._chosen(name or None, language or None)

    def choose(self, name: str | None, language: str | None) -> Choice:
        """Return the voice of this name, or else the first one of the language. With a name alone
        the language is the voice's. UnknownChoiceError.
        """
        return self._chosen(name, language) if name or language else self._default

    def _chosen(self, name: str | None, language: str | None) -> Choice:
        heard = self._language(language) if language else None
        if name:
            voice = next((each for each in self.voices if each.name == name), None)
            if voice is None:
                raise UnknownChoiceError("unknown_voice", [each.name for each in self.voices])
            spoken = [each for each in self._heard if _fits(voice.language, each)]
            return Choice(voice, heard or next(iter(spoken), self.languages[0]))
        heard = heard or self.languages[0]
        return Choice(next(v for v in self.voices if _fits(v.language, heard)), heard)

    def _language(self, wanted: str) -> str:
        same = [each for each in self.languages if each.lower() == wanted.lower()]
        close = [each for each in self.languages if _fits(each, wanted)]
        if not (same or close):
            raise UnknownChoiceError("unknown_language", self.languages)
        return (same or close)[0]


def _fits(one: str, other: str) -> bool:
    """Return whether two tags can be the same language: a bare `en` fits `en-US`."""
    first, second = one.lower().split("-"), other.lower().split("-")
    return first == second or (first[0] == second[0] and 1 in (len(first), len(second)))
