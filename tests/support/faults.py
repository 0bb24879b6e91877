"""Faults that the doctor must find, made beside a healthy stack as real as possible."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import http.server
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from local import environment, processes
from local.credentials import Credentials
from local.layout import HOST, ROOT, Layout
from tests.support.engine import client
from tests.support.ports import free_port

NOWHERE = f"http://{HOST}:9"


@contextlib.contextmanager
def run_part(module: str, layout: Layout, **changed: str) -> Iterator[int]:
    """Run a second relay or gateway of the stack with other settings; yield its port."""
    make = {"relay": environment.relay, "gateway": environment.gateway}[module]
    port = free_port()
    env = make(layout, Credentials.load(layout.state_dir)) | {f"{module.upper()}_PORT": str(port)}
    env.pop("GATEWAY_SIP_PORT", None)
    env.pop("RELAY_DOOR_PORT", None)
    started = processes.start(module, module, env | changed, layout.state_dir / "faulty")
    try:
        processes.wait_until_up(started, f"http://{HOST}:{port}/healthz")
        yield port
    finally:
        processes.stop([started])


def make_table_without_index_and_ttl(engine: str) -> str:
    spec = json.loads((ROOT / "infra" / "table.json").read_text())
    spec.pop("TimeToLiveAttribute")
    spec["GlobalSecondaryIndexes"] = spec["GlobalSecondaryIndexes"][:1]
    names = {key["AttributeName"] for key in spec["KeySchema"]}
    names |= {k["AttributeName"] for k in spec["GlobalSecondaryIndexes"][0]["KeySchema"]}
    spec["AttributeDefinitions"] = [
        each for each in spec["AttributeDefinitions"] if each["AttributeName"] in names
    ]
    client(engine, "dynamodb").create_table(TableName="faulty", **spec)
    return "faulty"


def make_machine_with_fixed_wait(engine: str, arn: str) -> str:
    """Make a ring timer with a fixed wait, as if somebody had changed it by hand."""
    states = client(engine, "stepfunctions")
    machine = json.loads(states.describe_state_machine(stateMachineArn=arn)["definition"])
    machine["States"]["Ringing"].pop("TimestampPath")
    machine["States"]["Ringing"]["Seconds"] = 45
    made = states.create_state_machine(
        name="faulty", definition=json.dumps(machine), roleArn="arn:aws:iam::000000000000:role/x"
    )
    return str(made["stateMachineArn"])


@contextlib.contextmanager
def serve_expired_certificate(folder: Path) -> Iterator[tuple[int, Path]]:
    """Run a TLS server whose certificate expired yesterday; yield its port, and the certificate of
    the signer."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=90))
        .not_valid_after(now - datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    file, keys = folder / "expired.pem", folder / "expired.key"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    keys.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, keys)
    with socket.create_server((HOST, 0)) as listener:

        def shake_hands() -> None:
            while True:
                try:
                    accepted, _ = listener.accept()
                except OSError:
                    return
                with contextlib.suppress(OSError), accepted:
                    context.wrap_socket(accepted, server_side=True).close()

        threading.Thread(target=shake_hands, daemon=True).start()
        yield listener.getsockname()[1], file


@contextlib.contextmanager
def serve_json(answer: object, ahead_s: float = 0.0) -> Iterator[str]:
    """Run an HTTP server that answers everything with this JSON, with a clock that is ahead."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def do_POST(self) -> None:
            self.send_error(404)

        def date_time_string(self, timestamp: float | None = None) -> str:
            return formatdate((timestamp or time.time()) + ahead_s, usegmt=True)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer((HOST, 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://{HOST}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def _md5(*parts: str) -> str:
    return hashlib.md5(":".join(parts).encode()).hexdigest()


@contextlib.contextmanager
def run_registrar(password: str) -> Iterator[int]:
    """Run a SIP registrar on UDP that takes this password, and answers 403 to any other (RFC 3261,
    22.4)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind((HOST, 0))

        def answer() -> None:
            while True:
                try:
                    data, peer = door.recvfrom(65536)
                except OSError:
                    return
                if data.startswith(b"REGISTER"):
                    door.sendto(_answer_register(data.decode(), password).encode(), peer)

        threading.Thread(target=answer, daemon=True).start()
        yield door.getsockname()[1]
        door.close()


def _answer_register(request: str, password: str) -> str:
    kept = re.findall(r"(?mi)^(?:via|from|to|call-id|cseq|contact):.*\r\n", request)
    given = dict(re.findall(r'(\w+)="?([^",\r]+)"?', request.partition("Authorization: ")[2]))
    status, more = "401 Unauthorized", 'WWW-Authenticate: Digest realm="pbx", nonce="n1"\r\n'
    if "response" in given:
        right = _md5(_md5(given["username"], "pbx", password), "n1", _md5("REGISTER", given["uri"]))
        status = "200 OK" if given["response"] == right else "403 Forbidden"
        more = "Expires: 120\r\n"
    return f"SIP/2.0 {status}\r\n{''.join(kept)}{more}Content-Length: 0\r\n\r\n"
