"""Messages that the tests of the edge send and expect."""

import re
import time

from tests.sip.edge_messages import reply, request, sdp


def reached(children, timeout=0.6):
    """The next request that a child got, if any; not what is sent again."""
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        for child in children:
            while not child.received.empty():
                message = child.received.get()
                known = [m.raw for m in child.everything if m is not message]
                if message.method not in ("ACK", "SIP/2.0") and message.raw not in known:
                    return message
        time.sleep(0.02)
    return None


def invite(edge, talker, user="+33123456789", **options):
    options.setdefault("body", sdp(talker.ip))
    return request("INVITE", edge.uri(user), talker, **options)


def call_out(edge, child, carrier, proxy=None):
    hop = (proxy or carrier).at
    route = f"<sip:127.0.0.1:{edge.inside[1]};transport=udp;hop={hop};via=udp;lr>"
    text = request(
        "INVITE", "sip:+15550001@trunk.example", child, routes=[route], body=sdp("127.0.0.1", 40004)
    )
    child.send(text, edge.inside)
    return text


def refuse_politely(message, children):
    """Ends an INVITE that a child got, so that it is not sent again."""
    child = next(c for c in children if message in c.everything)
    child.send(reply(message, 486), message.source)


def send_register(edge, child, carrier, *, user, contact, expires, via="udp"):
    """Send a child's REGISTER through the edge; `via`: transport and further parameters of the
    hop."""
    route = f"<sip:127.0.0.1:{edge.inside[1]};transport=udp;hop={carrier.at};via={via};lr>"
    child.send(
        request(
            "REGISTER",
            "sip:trunk.example",
            child,
            to=f"<sip:{user}@trunk.example>",
            headers={"Contact": f"<sip:{contact}@{child.at}>;expires={expires}"},
            routes=[route],
        ),
        edge.inside,
    )


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
    """Register through the edge; return the request at the carrier and the answer at the child."""
    send_register(
        edge, child, carrier, user=user, contact=contact or user, expires=expires, via=via + trunk
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


def is_closed(connection, within_s):
    """Wait until the other side closes; return whether it did. The socket keeps its timeout."""
    patience_s = connection.gettimeout()
    connection.settimeout(within_s)
    try:
        return connection.recv(65536) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    finally:
        connection.settimeout(patience_s)


def stays_open(connection, for_s):
    until = time.monotonic() + for_s
    while (left := until - time.monotonic()) > 0:
        if is_closed(connection, left):
            return False
    return True


def tell(edge, child, *networks, seconds=90):
    """Tell the edge the networks from which a child's trunks take calls."""
    text = request(
        "OPTIONS",
        f"sip:networks@127.0.0.1:{edge.inside[1]}",
        child,
        extra=[f"Expires: {seconds}", f"X-Chamade-Networks: {';'.join(networks)}"],
    )
    child.send(text, edge.inside)
    child.expect(200)


def is_let_in(edge, talker, children, **options):
    """Send an INVITE; return what a child got, which is refused, or None."""
    for child in children:
        child.forget()
        child.everything.clear()
    talker.send(invite(edge, talker, **options), edge.public)
    if (got := reached(children)) is not None:
        refuse_politely(got, children)
    return got


def is_forbidden(edge, talker, children, **options):
    """Send an INVITE; return whether it is answered 403 and no child gets it."""
    before = len(talker.everything)
    if is_let_in(edge, talker, children, **options) is not None:
        return False
    return 403 in [message.status for message in talker.everything[before:]]
