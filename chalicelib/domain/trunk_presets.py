"""Presets: the settings that the trunks of a carrier or a PBX need, so that an owner fills in only
what is theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ConfigDict

from chalicelib.domain.model import Model


class TrunkPreset(Model):
    """The settings of one carrier or PBX. `settings` and `ask` name fields of `TrunkSettings`: the
    values that are known, and the fields that the owner fills in. `notes` are for the owner.
    `source`: the page that the facts are from; `checked`: whether they are read there only, or
    also tested.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    preset: str
    title: str
    kind: Literal["carrier", "pbx"]
    settings: Mapping[str, Any]
    ask: tuple[str, ...]
    notes: tuple[str, ...] = ()
    source: str
    checked: Literal["documentation", "tests"]


_OVH = "https://github.com/ovh/docs/blob/0d7a71973e79d3e47e25a168cc2e3cd1def486f0/pages/web_cloud"
_ACCOUNT = ("username", "password", "caller_id")

PRESETS = (
    TrunkPreset(
        preset="dus-net",
        title="dus.net",
        kind="carrier",
        settings={
            "host": "secure.dus.net",
            "port": 5061,
            "transport": "tls",
            "srtp": "required",
            "country": "DE",
        },
        ask=_ACCOUNT,
        notes=(
            "Username and password are those of the SIP account in dus.net's customer centre.",
            "Without encryption the host is proxy.dus.net: set transport udp, and SRTP off.",
        ),
        source="https://www.dus.net/de/sip",
        checked="documentation",
    ),
    TrunkPreset(
        preset="ovh",
        title="OVHcloud",
        kind="carrier",
        settings={"number_format": "00", "country": "FR"},
        ask=("host", *_ACCOUNT),
        notes=(
            "In the OVHcloud Control Panel open Telecom, VoIP & Fax, your SIP trunk or line, "
            "Management, General information. The host is the Domain that it shows, the username "
            "is the Login, as in 0033972000000. If it shows an outbound proxy, give that too.",
            "To show another number as caller ID, make it an alias that is redirected to the trunk "
            "with its presentation, and switch off Remain anonymous.",
        ),
        source=f"{_OVH}/phone_and_fax/voip/configuration_basique_dun_sip_trunk_ovh_sur_3cx_phone_"
        "system/guide.fr-fr.md",
        checked="documentation",
    ),
    TrunkPreset(
        preset="sipgate",
        title="sipgate trunking",
        kind="carrier",
        settings={
            "host": "sipconnect.sipgate.de",
            "number_format": "plain",
            "caller_id_in": "ppi",
        },
        ask=_ACCOUNT,
        notes=(
            "The username is the trunk's SIP-ID, as in 1234567t0.",
            "A caller ID that is not one of your numbers is replaced by the fallback number in the "
            "trunk's settings at sipgate.",
        ),
        source="https://help.sipgate.de/trunking/wie-setze-ich-bei-sipgate-trunking-die-"
        "absenderrufnummer",
        checked="documentation",
    ),
    TrunkPreset(
        preset="telekom-companyflex",
        title="Telekom CompanyFlex SIP-Trunk",
        kind="carrier",
        settings={
            "host": "tel.t-online.de",
            "transport": "tls",
            "srtp": "required",
            "country": "DE",
        },
        ask=("outbound_proxy", *_ACCOUNT),
        notes=(
            "The CompanyFlex portal shows the outbound proxy, which ends in "
            ".primary.companyflex.de, and the username, which begins with +49199: give it without "
            "@tel.t-online.de.",
            "With TLS, Telekom asks for headers of its own (mediasec), which are not sent here. If "
            "the trunk does not register, ask Telekom.",
        ),
        source="https://hilfe.companyflex.de/de/grundlagen/systemvoraussetzungen",
        checked="documentation",
    ),
    TrunkPreset(
        preset="telekom-deutschlandlan",
        title="Telekom DeutschlandLAN SIP-Trunk",
        kind="carrier",
        settings={
            "host": "sip-trunk.telekom.de",
            "outbound_proxy": "reg.sip-trunk.telekom.de",
            "transport": "tcp",
            "country": "DE",
        },
        ask=_ACCOUNT,
        notes=(
            "This is the variant with registration. The username is the registration number of "
            "your order confirmation, which begins with +49199.",
        ),
        source="https://geschaeftskunden.telekom.de/internet-dsl/tarife/companyflex/sip-trunk/"
        "sip-trunk-technische-unterlage",
        checked="documentation",
    ),
    TrunkPreset(
        preset="telnyx",
        title="Telnyx",
        kind="carrier",
        settings={"host": "sip.telnyx.com", "transport": "tls"},
        ask=_ACCOUNT,
        notes=(
            "In Mission Control create a SIP connection of type Credentials. Its username and "
            "password go here, not those of your Telnyx account.",
            "Choose an outbound voice profile for the connection, and assign your numbers to it.",
            "Nearer hosts: sip.telnyx.eu, sip.telnyx.ca, sip.telnyx.com.au.",
        ),
        source="https://developers.telnyx.com/docs/voice/sip-trunking/authentication/"
        "credential-types",
        checked="documentation",
    ),
    TrunkPreset(
        preset="vonage",
        title="Vonage SIP Trunking",
        kind="carrier",
        settings={"auth": "ip", "number_format": "plain", "caller_id_in": "from"},
        ask=("host", "networks", *_ACCOUNT),
        notes=(
            "In the Vonage dashboard create a trunk under Voice, SIP Trunks. Its domain, as in "
            "yourcompany.sip-eu.vonage.com, is the host; add a credential to it for username and "
            "password.",
            "Link your numbers to the trunk, and add the public SIP address of this service as its "
            "URI for inbound calls: the operator knows it.",
            "The networks are the signalling addresses in Vonage's knowledge base.",
        ),
        source="https://developer.vonage.com/en/sip/technical-details",
        checked="documentation",
    ),
    TrunkPreset(
        preset="zadarma",
        title="Zadarma",
        kind="carrier",
        settings={"host": "sip.zadarma.com"},
        ask=_ACCOUNT,
        notes=(
            "The username is one of your SIP logins (Settings, SIP settings), with its own "
            "password.",
            "Do not make a SIP trunk of this login at Zadarma: such logins can no longer register.",
        ),
        source="https://zadarma.com/en/support/faq/voip/what_is_the_sip_trunk/",
        checked="documentation",
    ),
    TrunkPreset(
        preset="3cx",
        title="3CX",
        kind="pbx",
        settings={"caller_id_in": "pai"},
        ask=("host", *_ACCOUNT),
        notes=(
            "Add an extension. Its authentication ID must be its number, since one name is used "
            "for both here.",
            "Outbound rules of 3CX decide how numbers have to be written: choose the form, and a "
            "prefix if there is one, under More settings.",
        ),
        source="https://www.3cx.com/manual/3CXPhoneSystemManual5/phone-system22.html",
        checked="documentation",
    ),
    TrunkPreset(
        preset="asterisk",
        title="Asterisk (PJSIP)",
        kind="pbx",
        settings={"caller_id_in": "pai"},
        ask=("host", *_ACCOUNT),
        notes=(
            "Make an endpoint, its auth and its aor with max_contacts=1. Endpoint, aor and the "
            "auth's username have the same name: it is the username.",
            "Set trust_id_inbound=yes on the endpoint, so that your caller ID is taken.",
        ),
        source="https://docs.asterisk.org/Configuration/Channel-Drivers/SIP/"
        "Configuring-res_pjsip/res_pjsip-Configuration-Examples/",
        checked="documentation",
    ),
    TrunkPreset(
        preset="freeswitch",
        title="FreeSWITCH",
        kind="pbx",
        settings={},
        ask=("host", *_ACCOUNT),
        notes=(
            "Add a user to the directory: its id is the username, its param password the password.",
            "If the directory's domain is not the host, give it as realm.",
        ),
        source="https://developer.signalwire.com/freeswitch/FreeSWITCH-Explained/Directory/"
        "XML-User-Directory",
        checked="documentation",
    ),
    TrunkPreset(
        preset="fritzbox",
        title="FRITZ!Box",
        kind="pbx",
        settings={"number_format": "national", "caller_id_in": "pai"},
        ask=("host", *_ACCOUNT),
        notes=(
            "Under Telephony, Telephony Devices, add a telephone that is connected by LAN or Wi-Fi "
            "(IP telephone), with a username and a password, and allow it to register from the "
            "Internet.",
            "The host is the box's MyFRITZ! address. Calls show the number that the box has set "
            "for this telephone.",
        ),
        source="https://service.avm.de/help/de/FRITZ-Box-Fon-WLAN-7490/014/hilfe_port_sip",
        checked="documentation",
    ),
)
"""All presets: carriers, then PBXs, each by name."""
