"""Chooses the engines that the settings name. Only their libraries are imported then."""

from __future__ import annotations

from voice.engines.base import Engines, EngineSettings


def engines(settings: EngineSettings) -> Engines:
    """Return the engines of `settings.engine`. ValueError names what is wrong."""
    if settings.engine == "local":
        from voice.engines.local.engine import LocalEngines

        return LocalEngines(settings)
    if settings.engine == "aws":
        from voice.engines.aws.engine import AwsEngines

        return AwsEngines(settings)
    if settings.engine == "openai":
        from voice.engines.openai.engine import OpenAIEngines

        return OpenAIEngines(settings)
    raise ValueError("VOICE_ENGINE is none of local, aws, openai")
