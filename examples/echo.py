"""The smallest agent: takes every call and says back what it hears.

python examples/echo.py        (CHAMADE_API_URL and CHAMADE_API_KEY, else the local stack's)
"""

from chamade import Client


def echo(call):
    for frame in call.audio:
        call.audio.send(frame)


with Client() as client:
    client.serve(echo, ready=lambda: print("waiting for calls", flush=True))
