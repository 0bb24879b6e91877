"""An answering machine: takes each call, greets, records the message into a WAV file, hangs up.

The caller may talk over the greeting (barge-in): it stops at once and their words are kept. Silence
or the key # ends the message; it is saved however the call ends.

    python examples/answering_machine.py [--messages FOLDER]

takes CHAMADE_API_URL and CHAMADE_API_KEY from the environment, else the local stack's.
"""

import argparse
import array
import asyncio
import re
import time
from pathlib import Path

from chamade import AsyncClient, ChamadeError, WavWriter

RATE, FRAME_MS = 8000, 20
LOUD = 800  # peak of 32767 above which a frame counts as speech
BARGE_IN_MS, SILENCE_MS, LONGEST_MS = 200, 1500, 60_000
RECORDINGS = Path(__file__).parent / "audio"


async def converse(call, message):
    """Greet, record until the caller is done, say goodbye. Ends early when they hang up."""
    # Taken back after a restart: the caller has been greeted, or is being greeted still.
    words = b"" if call.resumed else RECORDINGS / "greeting.wav"
    greeting = asyncio.create_task(call.audio.play(words))
    interrupted, run, silence = False, 0, 0
    async for frame in call.audio:
        message += frame
        speech = max(map(abs, array.array("h", frame)), default=0) > LOUD
        run, silence = (run + FRAME_MS, 0) if speech else (0, silence + FRAME_MS)
        spoken_ms = len(message) * 1000 // (RATE * 2)
        if not (greeting.done() or interrupted):
            del message[: -RATE * 2]  # a second before the barge-in is kept
            if run >= BARGE_IN_MS:
                interrupted = True
                await call.audio.clear()
                print(f"{call.id} interrupts the greeting", flush=True)
        elif (
            "#" in call.audio.keys
            or spoken_ms > LONGEST_MS
            or (silence >= SILENCE_MS and spoken_ms > 2 * SILENCE_MS)
        ):
            break
    await greeting
    await call.audio.play(RECORDINGS / "goodbye.wav")


async def take(call, folder):
    """Handle one call, from the answer to the saved file."""
    print(f"{call.id} from {call.info.from_}", flush=True)
    message = bytearray()
    try:
        await converse(call, message)
    finally:
        folder.mkdir(parents=True, exist_ok=True)
        caller = re.sub(r"[^+\w.@-]", "_", call.info.from_)  # may be a SIP URI
        path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{caller}-{call.id}.wav"
        with WavWriter(path, call.audio.format) as file:
            file.write(message)
        print(f"message saved: {path} ({file.seconds:.1f} s)", flush=True)


async def main(folder):
    async with AsyncClient() as client:
        await client.serve(
            lambda call: take(call, folder),
            rate=RATE,
            ready=lambda: print("waiting for calls", flush=True),
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--messages", type=Path, default=Path("messages"), metavar="FOLDER")
    try:
        asyncio.run(main(parser.parse_args().messages))
    except ChamadeError as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        pass
