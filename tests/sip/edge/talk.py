"""What the tests of the edge say and look for."""

import re
import time

from tests.sip.edge_messages import reply, request, sdp


def reached(children, timeout=0.6):
    """The next request that a child got, if any; not what is sent again."""
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        for child in children:
            while not child.heard.empty():
                message = child.heard.get()
                known = [m.raw for m in child.everything if m is not message]
                if message.method not in ("ACK", "SIP/2.0") and message.raw not in known:
                    return message
        time.sleep(0.02)
    return None


def invite(edge, talker, user="+33123456789", **options):
    options.setdefault("body", sdp(talker.ip))
    return request("INVITE", edge.uri(user), talker, **options)


def refuse_politely(message, children):
    """Ends an INVITE that a child got, so that it is not sent again."""
    child = next(c for c in children if message in c.everything)
    child.send(reply(message, 486), message.source)


def register(
    edge,
    child,
    carrier,
    *,
    expires=600,
    via="udp",
    trunk="",
    granted=None,
    user="alice",
    contact=None,
):
    """A registration through the edge; -> (as the carrier saw it, as the child saw the answer)."""
    route = f"<sip:127.0.0.1:{edge.inside[1]};transport=udp;hop={carrier.at};via={via}{trunk};lr>"
    child.send(
        request(
            "REGISTER",
            "sip:trunk.example",
            child,
            to=f"<sip:{user}@trunk.example>",
            headers={"Contact": f"<sip:{contact or user}@{child.at}>;expires={expires}"},
            routes=[route],
        ),
        edge.inside,
    )
    seen = carrier.expect("REGISTER")
    listed = f"{seen['Contact'].partition(';expires')[0]};expires={granted or expires}"
    extra = [f"Contact: <sip:other@203.0.113.9>;expires=17, {listed}"]
    carrier.send(reply(seen, 200, extra=extra), seen.source)
    return seen, child.expect(200)


def outside_names_nothing_inside(*talkers):
    for talker in talkers:
        for message in talker.everything:
            assert not re.search(r"127\.0\.0\.1(?![0-9])", message.text), message.text
