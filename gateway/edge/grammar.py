"""Words and regular expressions of SIP that the edge's configuration knows."""

from __future__ import annotations

METHODS = (
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "OPTIONS",
    "UPDATE",
    "INFO",
    "PRACK",
)
KEPT = (
    "P-Asserted-Identity",
    "P-Called-Party-ID",
    "P-Preferred-Identity",
    "Diversion",
    "History-Info",
    "Privacy",
    "Remote-Party-ID",
    "Supported",
    "k",
    "Require",
    "Allow",
    "RSeq",
    "RAck",
    "Session-Expires",
    "x",
    "Min-SE",
    "Expires",
    "Min-Expires",
    "WWW-Authenticate",
    "Proxy-Authenticate",
    "Authentication-Info",
    "Unsupported",
    "Retry-After",
    "Reason",
    "Event",
    "Subscription-State",
    "Warning",
    "User-Agent",
    "Server",
)
"""Headers that a child gets, besides Via, From, To, Call-ID, CSeq, Contact, Record-Route,
Max-Forwards and Content-*. Replaces, Join and Refer-To are left out, so that nobody outside can
take over a call."""
SHOWN = r"User-to-User|X-[A-Za-z0-9._-]+"
"""Headers of an INVITE that a child shows to applications (`common/sip_headers.py`); those of our
own and of Twilio are removed before.
"""
UNUSABLE = ("v=0", "o=- 0 0 IN IP4 0.0.0.0", "s=-", "t=0 0", "m=video 0 RTP/AVP 96")
"""A session description that answers no offer of ours."""
SCANNERS = (
    "friendly-scanner",
    "sipvicious",
    "sipcli",
    "sundayddr",
    "pplsip",
    "VaxSIPUserAgent",
    "VaxIPUserAgent",
    "sip-scan",
    "sipscan",
    "smap",
    "iWar",
    "SIVuS",
    "sipv",
    "gulp",
    "siparmyknife",
    "Test.Agent",
    "Custom.SIP",
    "scanner",
)

_USER = r'[^][@<>,"[:space:]]+'
_HOST = r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9._-]*)(:[0-9]{1,5})?"
_IN_BRACKETS = r"([;?][^<>[:space:]]*)?"
_BARE = r'([;?][^][<>,"[:space:]]*)?'
_TEL = r'tel:[^][@<>,"[:space:]]+'
_NAME = r'("([^"\]|\\.)*"|[^][<>",;:@]*)[[:blank:]]*'
_SIP_IN_BRACKETS = rf"<sips?:({_USER}@)?{_HOST}{_IN_BRACKETS}>"
_SIP_BARE = rf"sips?:({_USER}@)?{_HOST}{_BARE}"
_NOT_PUBLIC = (
    r"10[.]|127[.]|169[.]254[.]|172[.](1[6-9]|2[0-9]|3[01])[.]|192[.]168[.]|192[.]0[.]0[.]"
    r"|100[.](6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])[.]|198[.]1[89][.]|22[4-9][.]|2[3-5][0-9][.]"
)
"""Beginnings of IPv4 addresses that are not public. 0.0.0.0/8 is handled separately."""
_NOT_PUBLIC_6 = r"[0-9A-Fa-f]{0,3}:|[^23.][0-9A-Fa-f]{3}:|2002:"
LINE, PART = "\x1e", "\x1f"
"""The characters that end a line and divide parts while a message is rewritten."""
G_711 = (
    rf"{LINE}m=audio [^{LINE}]* [08]( |{LINE}|$)"
    rf"|{LINE}a=rtpmap:[0-9]+[ ]+PCM[UA]/8000(/1)?({LINE}|$)"
)
"""Matches a session description that offers the one codec of the children: PCMU or PCMA."""
BAD_C_LINE = (
    LINE
    + r"c=([^I]|I[^N]|IN[^ ]|IN [^I]|IN I[^P]|IN IP[^46]|IN IP[46][^ ]|IN IP[46] ([^0-9A-Fa-f:]"
    r"|[0-9A-Fa-f.:]+([^0-9A-Fa-f.:/\x1e]|/[0-9/]*[^0-9/\x1e])))".replace(r"\x1e", LINE)
)
"""Matches a `c=` line other than `IN IP4 address` or `IN IP6 address`: a good line must not hide a
bad one."""
_PARAMS = r"[[:blank:]]*(;.*)?$"

URI = rf"^({_SIP_BARE}|{_TEL})$"
NAME_ADDR = rf"^({_NAME}({_SIP_IN_BRACKETS}|<{_TEL}>)|{_SIP_BARE}|{_TEL})"
PARTY = NAME_ADDR.replace(f"({_USER}@)?", f"({_USER}@|@)?")
"""Matches From and To. Some PBXs leave the user out and the @ in: of a caller who is withheld."""
ONE_CONTACT = rf"^({_NAME}{_SIP_IN_BRACKETS}|{_SIP_BARE}){_PARAMS}"
PRIVATE = rf"0[.]|{_NOT_PUBLIC}"
PRIVATE_MEDIA = rf"0[.][0-9.]*[1-9]|{_NOT_PUBLIC}|{_NOT_PUBLIC_6}"
"""Beginnings of addresses to which no audio is sent. 0.0.0.0 is none: it puts a call on hold."""
