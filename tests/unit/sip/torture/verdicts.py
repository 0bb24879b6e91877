"""What RFC 4475 demands of whoever receives its messages.

"read" goes to the user agent's core, 4xx and 5xx are answered, "discarded" is not answered. What
the core then says of a message that is read (420, 415, 401, 406 …) is its business.
"""

from __future__ import annotations

from pathlib import Path

FILES = Path(__file__).parent

VERDICTS = [
    ("3.1.1.1", "wsinv", "read"),
    ("3.1.1.2", "intmeth", "read"),
    ("3.1.1.3", "esc01", "read"),
    ("3.1.1.4", "escnull", "read"),
    ("3.1.1.5", "esc02", "read"),
    ("3.1.1.6", "lwsdisp", "read"),
    ("3.1.1.7", "longreq", "read"),
    ("3.1.1.8", "dblreq", "read"),
    ("3.1.1.9", "semiuri", "read"),
    ("3.1.1.10", "transports", "read"),
    ("3.1.1.11", "mpart01", "read"),
    ("3.1.1.12", "unreason", "read"),
    ("3.1.1.13", "noreason", "read"),
    ("3.1.2.1", "badinv01", "400"),
    ("3.1.2.2", "clerr", "400"),
    ("3.1.2.3", "ncl", "400"),
    ("3.1.2.4", "scalar02", "400"),
    ("3.1.2.5", "scalarlg", "discarded"),
    ("3.1.2.6", "quotbal", "400"),
    ("3.1.2.7", "ltgtruri", "400"),
    ("3.1.2.8", "lwsruri", "400"),
    ("3.1.2.9", "lwsstart", "read"),  # liberal, as allowed
    ("3.1.2.10", "trws", "read"),  # liberal, as allowed
    ("3.1.2.11", "escruri", "400"),
    ("3.1.2.12", "baddate", "read"),  # the Date is not needed
    ("3.1.2.13", "regbadct", "read"),  # a registrar refuses the Contact: TestReading
    ("3.1.2.14", "badaspec", "read"),  # liberal, as allowed
    ("3.1.2.15", "baddn", "read"),  # liberal, as allowed
    ("3.1.2.16", "badvers", "505"),
    ("3.1.2.17", "mismatch01", "400"),
    ("3.1.2.18", "mismatch02", "400"),
    ("3.1.2.19", "bigcode", "discarded"),
    ("3.2.1", "badbranch", "read"),  # as of RFC 2543: transaction/test_layer.py
    ("3.3.1", "insuf", "400"),
    ("3.3.2", "unkscm", "416"),
    ("3.3.3", "novelsc", "416"),
    ("3.3.4", "unksm2", "read"),
    ("3.3.5", "bext01", "read"),  # the core: 420
    ("3.3.6", "invut", "read"),  # the core: 415
    ("3.3.7", "regaut01", "read"),  # a registrar: 401
    ("3.3.8", "multi01", "400"),
    ("3.3.9", "mcl01", "400"),
    ("3.3.10", "bcast", "discarded"),
    ("3.3.11", "zeromf", "read"),  # an end point answers, only proxies say 483
    ("3.3.12", "cparam01", "read"),
    ("3.3.13", "cparam02", "read"),
    ("3.3.14", "regescrt", "read"),
    ("3.3.15", "sdp01", "read"),  # the core: 406
    ("3.4.1", "inv2543", "read"),
]
