"""Which voice speaks and which language is heard."""

from __future__ import annotations

import pytest

from voice.core.voices import UnknownChoiceError, Voices
from voice.engines.base import VoiceInfo

ANN, BOB = VoiceInfo("ann", "en-US", "x"), VoiceInfo("bob", "en-US", "x")
LEA, IDA = VoiceInfo("lea", "fr-FR", "x"), VoiceInfo("ida", "it-IT", "x")
VOICES = [ANN, BOB, LEA, IDA]


@pytest.mark.parametrize(
    ("name", "language", "voice", "heard"),
    [
        (None, None, ANN, "en-US"),
        (None, "fr-FR", LEA, "fr-FR"),
        (None, "fr", LEA, "fr-FR"),
        (None, "FR-fr", LEA, "fr-FR"),
        ("bob", None, BOB, "en-US"),
        ("lea", None, LEA, "fr-FR"),
        ("bob", "fr-FR", BOB, "fr-FR"),
        ("ida", None, IDA, "en-US"),
    ],
)
def test_voice_and_language_are_chosen_by_name_or_language(name, language, voice, heard):
    choice = Voices(VOICES, ["en-US", "fr-FR"], "", "").choose(name, language)
    assert (choice.voice, choice.language) == (voice, heard)


def test_the_host_has_defaults_of_its_own():
    choice = Voices(VOICES, ["en-US", "fr-FR"], "", "fr-FR").choose(None, None)
    assert (choice.voice, choice.language) == (LEA, "fr-FR")
    choice = Voices(VOICES, ["en-US", "fr-FR"], "bob", "").choose(None, None)
    assert (choice.voice, choice.language) == (BOB, "en-US")


def test_a_language_counts_only_if_it_can_be_heard_and_spoken():
    voices = Voices([ANN, LEA], ["en-US", "de-DE"], "", "")
    assert voices.languages == ["en-US"]
    for language in ("de-DE", "fr-FR", "en-GB"):
        with pytest.raises(UnknownChoiceError) as refused:
            voices.choose(None, language)
        assert (refused.value.code, refused.value.choices) == ("unknown_language", ["en-US"])


def test_an_engine_of_bare_languages_hears_their_variants():
    voices = Voices([VoiceInfo("x", "en", "x")], ["en"], "", "")
    assert voices.choose(None, "en-GB").language == "en"


def test_a_default_that_there_is_not_is_told_at_the_start():
    with pytest.raises(UnknownChoiceError):
        Voices(VOICES, ["en-US"], "zoe", "")
    with pytest.raises(ValueError, match="no voice in a language that it hears"):
        Voices([LEA], ["en-US"], "", "")
