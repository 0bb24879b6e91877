"""Tests that a running stack answers generated requests as the description of the API promises.
`make fuzz` sends thousands.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.agent import Rest
from local.carrier import Address, Carrier, Message
from local.layout import HOST
from tests.support.engine import ROOT
from tests.support.ports import free_port
from tests.support.running import Live, Process, stack_up
from tests.support.thorough import often

EXAMPLES = often(2, 110)
DIALLED = "+33199001234"

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "use_after_free",
    "ensure_resource_availability",
    "ignored_auth",
)
"""All but `positive_data_acceptance`: a trunk that is not there refuses what fits the schema."""


class BusyCarrier(Carrier):
    """Everybody is on the phone."""

    def _request(self, message: Message, source: Address) -> None:
        if message.method == "INVITE" and self._proven(message, "proxy-authorization"):
            self._answer(message, source, "486 Busy Here", ("Server", "busy"))
        elif message.method in ("REGISTER", "INVITE"):
            super()._request(message, source)
        elif message.method != "ACK":
            self._answer(message, source, "200 OK", ("Server", "busy"))


@pytest.fixture
def stack(tmp_path):
    """One of its own: it is full of odd things afterwards."""
    with stack_up(tmp_path) as process:
        yield process


async def registered(rest: Rest, port: int) -> None:
    """The account has a trunk through which calls can be dialled."""
    settings = {
        "host": HOST,
        "port": port,
        "username": "acct42",
        "password": "s3cret-pw",
        "caller_id": "+33199005678",
    }
    await rest("PUT", "/api/trunk", settings)
    cursor, types = "", set[str]()
    async with asyncio.timeout(20):
        while "trunk.registered" not in types:
            page = await rest("GET", f"/api/events?wait=5&after={cursor}")
            cursor, types = page["cursor"], {event["type"] for event in page["events"]}


async def called_all_the_while(stack: Process, number: str) -> None:
    """There mostly is a call that rings, or has just been taken."""
    phone = Live(stack.read_stack_file()).phone()
    while True:
        call = await phone.place_call(number)
        try:
            async with asyncio.timeout(10):
                await call.ended.wait()
        except TimeoutError:
            call.hangup()


def accounts_of(stack: Process) -> list[dict[str, str]]:
    made = subprocess.run(
        [sys.executable, "-m", "tests.support.fuzz_accounts"],
        cwd=ROOT, env=stack.env, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return json.loads(made.stdout.splitlines()[-1])


def said(folder: Path) -> Path:
    """Return the path of schemathesis' output."""
    return folder / "schemathesis.log"


async def fuzzed(setting: dict[str, str], folder: Path, *which: str) -> tuple[int, str]:
    """Exit code and output of schemathesis, asking the operations that the options `which` name."""
    command = [
        str(Path(sys.executable).with_name("st")), "run", f"{setting['api_url']}/openapi.json",
        *which,
        "--header", f"X-API-Key: {setting['key']}",
        "--checks", ",".join(CHECKS), "--max-examples", str(EXAMPLES), "--continue-on-failure",
        "--generation-database", "none", "--request-timeout", "30", "--no-color",
        "--suppress-health-check", "all",
        "--report", "json", "--report-dir", str(folder),
    ]  # fmt: skip
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "tests.support.fuzz_hooks",
        "FUZZ_SETTING": json.dumps(setting),
        "PYTHONPATH": str(ROOT),
    }
    with said(folder).open("wb") as output:
        program = await asyncio.create_subprocess_exec(
            *command, cwd=folder, env=environment, stdout=output, stderr=asyncio.subprocess.STDOUT
        )
        code = await program.wait()
    return code, said(folder).read_text()


@pytest.mark.deep
async def test_every_answer_to_made_up_requests_is_as_described(stack, tmp_path):
    tested, rewired = accounts_of(stack)
    for name in ("tested", "rewired"):
        (tmp_path / name).mkdir()
    api_url = stack.read_stack_file()["api_url"]
    port = free_port()
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: BusyCarrier(port, "acct42", "s3cret-pw", (HOST, 9)), local_addr=(HOST, port)
    )
    calling = asyncio.create_task(called_all_the_while(stack, tested["number"]))
    try:
        await registered(Rest(api_url, tested["key"]), port)
        setting = {"api_url": api_url, "dial": f"sip:{DIALLED}@{HOST}:{port}"}
        # Dials need a trunk that stays: another account's is set anew and anew.
        but_for = [
            f"--exclude-operation-id={name}" for name in ("connect_trunk", "disconnect_trunk")
        ]
        runs = [
            await fuzzed({**setting, **tested}, tmp_path / "tested", *but_for),
            await fuzzed({**setting, **rewired}, tmp_path / "rewired", "--include-tag=trunks"),
        ]
    finally:
        calling.cancel()
        transport.close()
    for code, output in runs:
        print(output)
        assert code == 0, output[-20_000:]
