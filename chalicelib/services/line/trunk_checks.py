"""Check a trunk's settings against this installation: its providers, its hosts, its network."""

from __future__ import annotations

from chalicelib.domain.failure import Failure
from chalicelib.domain.host import public_host
from chalicelib.domain.trunk_settings import TrunkSettings
from chalicelib.services.dependencies import Dependencies
from chalicelib.services.line.numbering_plans import is_country
from common.addresses import forbidden_network


class UnfitSetting(Failure, ValueError):
    """A setting is not possible in this installation, or not for this trunk."""

    code = "invalid"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class PrivateHost(UnfitSetting):
    """A host or a network can only be the operator's own."""


class OwnHost(UnfitSetting):
    """The host is one of this installation's own."""


class ProviderNotConfigured(Failure):
    """This installation does not have the provider; the message says what is missing."""

    code = "provider_not_configured"


def providers(deps: Dependencies) -> list[str]:
    """Return the providers whose trunks can be connected here."""
    if deps.vault is None:
        return []
    sip_domain = deps.settings.twilio_sip_domain
    return sorted(name for name in deps.providers if name != "twilio" or sip_domain)


def check_settings(deps: Dependencies, settings: TrunkSettings, name: str) -> None:
    """Check what the settings alone do not tell. Raises UnfitSetting, ProviderNotConfigured."""
    if settings.provider not in deps.providers:
        raise ProviderNotConfigured(f"This installation has no provider {settings.provider}.")
    if settings.provider == "twilio" and not deps.settings.twilio_sip_domain:
        raise ProviderNotConfigured(
            "Trunks of provider twilio need a SIP domain: the operator sets "
            "CHAMADE_TWILIO_SIP_DOMAIN."
        )
    if settings.auth == "ip" and not deps.settings.trunks_by_address:
        raise UnfitSetting(
            "auth",
            "this installation takes no trunks without a registration: set register or both, with "
            "the username and the password of your account",
        )
    if name in settings.fallback:
        raise UnfitSetting("fallback", f"{name} is this trunk itself: name others of yours")
    if settings.country is not None and not is_country(settings.country):
        raise UnfitSetting("country", f"{settings.country} has no numbering plan: ISO 3166, as FR")
    own = next((each for each in settings.sip_domains if each in deps.settings.own_hosts), None)
    if own is not None:
        raise OwnHost(
            "outbound_proxy" if own == settings.proxy_host else "host",
            f"{own!r} is a host of this installation, which would call itself: give the host of "
            "your carrier",
        )
    if not deps.settings.private_trunks:
        _check_public(settings)


def _check_public(settings: TrunkSettings) -> None:
    """Refuse hosts and networks that can only be the operator's own."""
    if not public_host(settings.host):
        raise PrivateHost(
            "host",
            f"{settings.host!r} is not on the public Internet: give the public name or address of "
            "your trunk",
        )
    if settings.proxy_host and not public_host(settings.proxy_host):
        raise PrivateHost(
            "outbound_proxy",
            f"{settings.proxy_host!r} is not on the public Internet: give the proxy's public name "
            "or address",
        )
    private = next((each for each in settings.networks if forbidden_network(each)), None)
    if private is not None:
        raise PrivateHost(
            "networks",
            f"{private} is not, or not all of it, on the public Internet: give the public "
            "addresses that your carrier sends calls from",
        )
