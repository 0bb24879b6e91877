"""A receptionist that only reads and writes text: a hosted voice hears and speaks for it.

It asks who is calling and what about, repeats the number to call back, says goodbye and hangs up.
Messages are printed, and saved if a folder is given. Your account must take part in the beta of
hosted voices. That of the local stack does, once `make voice` has installed the models.

    python examples/receptionist.py [--messages FOLDER]

takes CHAMADE_API_URL and CHAMADE_API_KEY from the environment, else the local stack's.
"""

import argparse
import re
import time
from pathlib import Path

from chamade import ChamadeError, Client

WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
NO = re.compile(r"\b(no|not|wrong|nope|incorrect)\b", re.I)
WAITS_S, SILENT_S, TRIES = 12, 2.5, 3


def ask(call, question):
    """Ask until there is an answer; return it, or "" if none came."""
    for _ in range(TRIES):
        if reply := call.say(question, wait_for_reply_s=WAITS_S).reply:
            return reply.text
        question = f"I did not hear you. {question}"
    return ""


def hear_out(call, question):
    """Ask for something long; return all of it, until the caller is silent."""
    answers = [ask(call, question)]
    while answers[-1] and (more := call.listen(SILENT_S)):
        answers.append(more.text)
    return " ".join(answers)


def digits_of(text):
    """Return the digits of a number, which may be written in words."""
    for digit, word in enumerate(WORDS):
        text = re.sub(rf"\b{word}\b", str(digit), text, flags=re.I)
    return re.sub(r"\boh?\b", "0", text, flags=re.I).translate({ord(c): None for c in " -.,()"})


def number_of(call):
    """Ask for a number and repeat it until it is right; return the caller's if there is none."""
    question = "At which number can we call you back?"
    for _ in range(TRIES):
        found = re.search(r"\+?\d{3,}", digits_of(ask(call, question)))
        if found is None:
            break
        spoken = ", ".join(found[0].removeprefix("+"))
        if not NO.search(ask(call, f"I repeat: {spoken}. Is that right?")):
            return found[0]
        question = "I am sorry. Please say the number again."
    return call.info.from_


def take(call, folder):
    """Handle one call: take a message, and keep it."""
    print(f"{call.id} from {call.info.from_}", flush=True)
    name = ask(call, "Good morning, this is the reception. Who is calling, please?")
    about = hear_out(call, "Thank you. What is your call about?")
    number = number_of(call)
    message = f"{name}\n{about}\n{number}\n"
    print(f"message: {message!r}", flush=True)
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{call.id}.txt"
        path.write_text(message)
    call.say("Thank you. We will call you back. Goodbye.", wait=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--messages", type=Path, metavar="FOLDER")
    messages = parser.parse_args().messages
    try:
        with Client() as client:
            client.serve(
                lambda call: take(call, messages),
                voice="hosted",
                ready=lambda: print("waiting for calls", flush=True),
            )
    except ChamadeError as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        pass
