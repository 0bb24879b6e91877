"""Dials a number through your trunk, greets whoever answers, and says back what it hears.

python examples/dial.py +33199001234   (CHAMADE_API_URL and CHAMADE_API_KEY, else the local stack's)
"""

import argparse
from pathlib import Path

from chamade import Client

GREETING = Path(__file__).parent / "audio" / "greeting.wav"

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("number", help="the number to dial, as +33199001234")
number = parser.parse_args().number

with Client() as client:
    with client.call(number, metadata={"order": 7}) as call:  # dials; hangs up at the end
        print(call.id, call.info.state, call.info.line, call.info.metadata, flush=True)
        if call.answered():  # waits; False: busy, declined, nobody there
            call.audio.play(GREETING)  # returns when it has been heard
            call.audio.skip()  # what was said meanwhile
            for frame in call.audio:  # 20 ms of PCM, until the call is over
                call.audio.send(frame)
    print(call.end_reason)
