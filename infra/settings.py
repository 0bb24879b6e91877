"""The operator's settings: `chamade` in the context of `cdk.json`, read once and checked."""

from __future__ import annotations

import hashlib
import json
import re
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    ValidationError,
    model_validator,
)

from infra.variables import PARTS, complaint

CONTEXT = Path(__file__).parent / "cdk.json"

OF_CHALICE = (
    "api_handler", "expire_ring", "sweep", "fan_out_events", "deliver_event", "compose_recording",
)  # fmt: skip
"""The functions of `app.py`, as Chalice calls them."""

FUNCTIONS = ("webhook_handler", *OF_CHALICE)
"""All functions. The first has the API's code, for signed requests only (webhook_handler.py)."""

_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_Blank = Literal[""]

GATEWAY_SYSTEM = "al2023-ami-ecs-hvm-2023.0.20261113-kernel-6.1-x86_64"
"""AWS's release of its system for ECS that gateways are made with. Sources: release 20261113 of
github.com/aws/amazon-ecs-ami; ECS developer guide, "Retrieving Amazon ECS-optimized Linux AMI
metadata" (/aws/service/ecs/optimized-ami/amazon-linux-2023/<version>)."""
_IMAGE = r"^(ami-[0-9a-f]{8,17}|al2023-ami-ecs-hvm-[0-9.]+-kernel-[0-9.]+-x86_64)$"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sizes(_Strict):
    """The sizes of all parts. Memory is in MiB, processors in 1/1024."""

    api_memory_mb: int = Field(1024, ge=256, le=10240)
    task_memory_mb: int = Field(512, ge=256, le=10240)
    reserved_concurrency: dict[str, Annotated[int, Field(ge=1)]] = {}
    """Function -> executions reserved for it. AWS requires that 100 of the account's stay
    unreserved."""
    tries_at_once: int = Field(10, ge=1, le=1000)
    """Tries of one account's deliveries at a time; half as many more for `call.ringing`."""
    requests_per_s: int = Field(2000, ge=1)
    requests_burst: int = Field(4000, ge=1)
    relay_cpu: int = 1024
    relay_memory_mb: int = 2048
    relay_tasks_min: int = Field(2, ge=1)
    relay_tasks_max: int = Field(10, ge=1)
    calls_per_relay: int = Field(120, ge=1)
    """Calls in each task at which another task is started; docs/benchmarks.md says how many a task
    can carry."""
    voice_cpu: int = 1024
    voice_memory_mb: int = 2048
    voice_tasks_min: int = Field(2, ge=1)
    """Two, so that a call whose host is lost finds another one."""
    voice_tasks_max: int = Field(10, ge=1)
    calls_per_voice_host: int = Field(30, ge=1, le=1000)
    """Calls that a voice host takes at a time."""
    gateways: int = Field(1, ge=1, le=8)
    """Gateways, each an instance with an address of its own; several divide the trunks. A
    certificate has ten names, as a rule: those of relays and voice hosts, and each
    gateway's."""
    gateway_instance: str = "c6a.large"
    gateway_image: str = Field(GATEWAY_SYSTEM, pattern=_IMAGE)
    """The instance's system: the id of an AMI, or the name of one of AWS's releases for ECS, which
    is the same system in every region. Never "the newest": each deployment would look for one, and
    replace the instance, with its calls."""
    gateway_processes: Literal["auto"] | Annotated[int, Field(ge=1, le=32)] = "auto"
    """Gateway processes, each on one processor. `auto`: as many as the instance has processors."""
    gateway_memory_mb: int = 3072
    log_days: int = 30
    recording_days: int = Field(30, ge=1, le=1000)
    """Days for which recordings of calls are kept."""
    recording_gb: int = Field(10, ge=1, le=1000)
    """Gigabytes that the recordings of one account may have together."""

    @property
    def relay_processes(self) -> int:
        """Return the processes of a relay task: one for each of its vCPUs."""
        return max(1, self.relay_cpu // 1024)

    @model_validator(mode="after")
    def _fits(self) -> Sizes:
        if unknown := set(self.reserved_concurrency) - set(FUNCTIONS):
            raise ValueError(f"reserved_concurrency: no function is called {sorted(unknown)}")
        if self.relay_tasks_max < self.relay_tasks_min:
            raise ValueError("relay_tasks_max is below relay_tasks_min")
        if self.voice_tasks_max < self.voice_tasks_min:
            raise ValueError("voice_tasks_max is below voice_tasks_min")
        return self


class Variables(_Strict):
    """Further variables of each part, by their names in docs/settings.md (infra/variables.py)."""

    application: dict[str, str] = {}
    relay: dict[str, str] = {}
    gateway: dict[str, str] = {}
    """Of the gateway and of its SIP edge."""
    voice: dict[str, str] = {}

    @model_validator(mode="after")
    def _known(self) -> Variables:
        for part in PARTS:
            for name in getattr(self, part):
                if wrong := complaint(part, name):
                    raise ValueError(wrong)
        return self


class Settings(_Strict):
    """The settings of one installation."""

    stage: str = Field(pattern=r"^[a-z][a-z0-9]{0,11}$")
    account: Annotated[str, Field(pattern=r"^\d{12}$")] | _Blank = ""
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")] | _Blank = ""
    domain: str
    """The domain whose names `api.`, `relay.`, `gateway.` and `voice.` are used. A domain is
    required: providers connect to the relay by `wss://` only, and a certificate needs a name."""
    hosted_zone_id: str = ""
    """The domain's zone in Route 53: records and certificate are made there. Blank: by hand."""
    certificate_arn: str = ""
    """An existing certificate for all of these names, in the stacks' region. Blank: make one."""
    alarm_email: str = ""
    monthly_budget_usd: int = Field(0, ge=0)
    """The AWS account's budget; `alarm_email` is told when it is reached, or is about to be. 0:
    none."""
    sign_up: Literal["open", "closed"] = "closed"
    twilio_account_sid: Annotated[str, Field(pattern=r"^AC[0-9a-f]{32}$")] | _Blank = ""
    twilio_sip_domain: str = ""
    sip: bool = True
    """True to install a gateway of our own, for trunks that require a registration."""
    sip_sources: list[IPvAnyNetwork] = Field(min_length=1)
    """Networks that may send SIP to the gateway: the Internet, or better only your carriers'."""
    sip_hosts: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]{1,253}$")]] = []
    """Names and addresses at which the gateway takes SIP: no trunk may lead to them."""
    sip_peers: list[IPv4Network] = []
    """Networks whose calls are taken for any number: EDGE_PEERS."""
    hosted_voice: bool = False
    """True to install voice hosts, which speak and hear for agents without audio, with Amazon Polly
    and Amazon Transcribe."""
    tables: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{3,255}$")]] = []
    """Names of the tables, the one in use last: those before it are what it was restored from. None
    given: `chamade-STAGE-calls`."""
    variables: Variables = Variables()
    sizes: Sizes = Sizes()

    @model_validator(mode="after")
    def _makes_sense(self) -> Settings:
        if not _HOST.fullmatch(self.domain):
            raise ValueError(
                f"domain must be a name such as phone.example.com, not {self.domain!r}"
            )
        if not self.sip and not self.twilio_account_sid:
            raise ValueError("no trunking provider: give twilio_account_sid, or set sip to true")
        if self.twilio_sip_domain and not self.twilio_account_sid:
            raise ValueError("twilio_sip_domain goes with twilio_account_sid")
        if self.monthly_budget_usd and not self.alarm_email:
            raise ValueError("monthly_budget_usd goes with alarm_email, which is told")
        if any(network.version != 4 for network in self.sip_sources):
            raise ValueError("sip_sources: the SIP edge is IPv4 only")
        if len(set(self.tables)) < len(self.tables):
            raise ValueError("tables: a table is named twice")
        return self

    @property
    def api_host(self) -> str:
        """Return the host name of the REST API, the webhooks and the dashboard."""
        return f"api.{self.domain}"

    @property
    def relay_host(self) -> str:
        """Return the host name of the media relay."""
        return f"relay.{self.domain}"

    @property
    def gateway_host(self) -> str:
        """Return the host name of the gateway's Calls REST and of the browsers' sockets; SIP goes
        to the gateway's address."""
        return f"gateway.{self.domain}"

    @property
    def voice_host(self) -> str:
        """Return the host name of the voice hosts."""
        return f"voice.{self.domain}"

    @property
    def media_hosts(self) -> list[str]:
        """Return the host names that lead to the load balancer."""
        return [
            self.relay_host,
            *self.gateway_hosts,
            *([self.voice_host] if self.hosted_voice else []),
        ]

    @property
    def gateway_hosts(self) -> list[str]:
        """Return the host name of each gateway; none without SIP. Further ones are `gateway-2.` and
        so forth."""
        more = [f"gateway-{number}.{self.domain}" for number in range(2, self.sizes.gateways + 1)]
        return [self.gateway_host, *more] if self.sip else []

    @property
    def hosts(self) -> list[str]:
        """Return all host names that need a certificate."""
        return [self.api_host, *self.media_hosts]

    @property
    def gateway_account_sid(self) -> str:
        """Return the gateway's account SID: no secret, and the same at each synthesis."""
        return "AC" + hashlib.sha256(f"{self.stage}.{self.domain}".encode()).hexdigest()[:32]

    @property
    def table_names(self) -> list[str]:
        """Return the names of the tables that the data stack holds, the one in use last."""
        return self.tables or [self.name("calls")]

    @property
    def recording_bucket(self) -> str:
        """Return the name of the bucket with recordings. Buckets of all of AWS have one space of
        names, so it is made unlike others, and the same at each synthesis."""
        own = hashlib.sha256(f"recordings.{self.stage}.{self.domain}".encode()).hexdigest()[:12]
        return f"{self.name('recordings')}-{own}"

    @property
    def composer(self) -> str:
        """Return the name of the function that composes recordings: others start it by its
        name."""
        return self.name("compose-recording")

    def name(self, what: str) -> str:
        """Return the name of a resource that must have one."""
        return f"chamade-{self.stage}-{what}"

    def log_group(self, part: str) -> str:
        """Return the name of a part's log group."""
        return f"/chamade/{self.stage}/{part}"

    def parameter(self, what: str) -> str:
        """Return the name of a parameter of Systems Manager (infra/parameters.py)."""
        return f"/chamade/{self.stage}/{what}"

    @property
    def metrics(self) -> str:
        """Return the namespace of our metrics."""
        return f"Chamade/{self.stage}"


def context() -> dict[str, Any]:
    """Return the context that cdk.json gives the CDK: the settings, and the CDK's own switches."""
    given: dict[str, Any] = json.loads(CONTEXT.read_text())["context"]
    return given


_WANTED = {
    "stage": "a word of up to 12 small letters and digits, as in prod",
    "account": "the 12 digits of an AWS account, or nothing",
    "region": "the name of a region, as in eu-west-3, or nothing",
    "twilio_account_sid": "AC and 32 digits or letters from a to f, or nothing",
    "sip_hosts": "names or addresses of hosts, as in sip.example.com",
    "tables": "names of tables, as in chamade-prod-calls: 3 to 255 letters, digits, _ . -",
    "gateway_processes": "a number from 1 to 32, or auto",
    "gateway_image": "the id of an image, as in ami-0123456789abcdef0, or the name of a release of "
    f"AWS's system for ECS, as in {GATEWAY_SYSTEM}",
}
"""Descriptions of the settings that have a form of their own."""


def complaints(error: ValidationError) -> list[str]:
    """Return a line for each setting that is not valid: which, and what is wanted of it."""
    lines = []
    for problem in error.errors():
        # The last parts may be pydantic's names of the alternatives of a setting.
        names = [str(part) for part in problem["loc"] if str(part).isidentifier()]
        wanted = next((_WANTED[name] for name in names if name in _WANTED), "")
        message = problem["msg"].removeprefix("Value error, ")
        lines.append(f"{'.'.join(names) or 'chamade'}: {wanted or message}")
    return list(dict.fromkeys(lines))


def from_context(given: dict[str, Any]) -> Settings:
    """Return the settings, checked. Raises ValidationError, which names each invalid setting."""
    return Settings.model_validate(given)
