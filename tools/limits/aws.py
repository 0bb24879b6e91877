"""Limits in AWS: those in front of the functions and tasks, and those on the cost of AWS."""

from __future__ import annotations

from infra.firewall_rules import Rate
from infra.settings import context
from tools.limits.limit import Limit, value_of

_SIZES = context()["chamade"]["sizes"]
_RESERVED = _SIZES["reserved_concurrency"]
_FIREWALL = "tests/infra/test_firewall.py::test_"
_FUNCTIONS = "tests/infra/test_webhook_handler.py::test_"
_COSTS = "tests/infra/test_costs.py::test_"
_RULES = "infra/firewall_rules.py"


def _rate(name: str) -> str:
    rate: Rate = value_of(f"infra.firewall_rules:{name}")
    return f"{rate.requests:,} in {rate.window_s} s"


LIMITS: tuple[Limit, ...] = (
    Limit(
        "requests to the API",
        _rate("API_REQUESTS"),
        "",
        "source address",
        "the firewall answers 403 until the rate is below; every spelling of a path counts",
        f"{_FIREWALL}no_other_spelling_of_a_path_escapes_the_lower_limit",
        _RULES,
    ),
    Limit(
        "webhooks, control requests of relays and of the gateway",
        _rate("API_SIGNED_REQUESTS"),
        "",
        "source address",
        "the same; a provider whose calls ring stays below",
        f"{_FIREWALL}a_provider_of_ringing_calls_stays_below_its_limit_and_a_flood_exceeds_it",
        _RULES,
    ),
    Limit(
        "agents' sockets and whatever else comes to the balancer",
        _rate("AGENT_SOCKETS"),
        "",
        "source address",
        "the firewall answers 403 until the rate is below",
        f"{_FIREWALL}every_other_path_of_the_balancer_has_the_limit_of_agents_sockets",
        _RULES,
    ),
    Limit(
        "providers' streams and Calls REST",
        _rate("MEDIA_SIGNED_REQUESTS"),
        "",
        "source address",
        "the same; agents cannot use it up",
        f"{_FIREWALL}streams_and_calls_rest_have_a_limit_apart_from_agents",
        _RULES,
    ),
    Limit(
        "requests to each method of the API",
        f"{_SIZES['requests_per_s']:,} a second, {_SIZES['requests_burst']:,} at once",
        "",
        "installation",
        "API Gateway answers 429",
        "tests/infra/test_application.py::test_the_api_s_stage_is_throttled_traced_and_measured",
        "sizes.requests_per_s",
    ),
    Limit(
        "executions of the API's function, long polls among them",
        f"{_RESERVED['api_handler']:,}",
        "",
        "installation",
        "Lambda refuses more, and an alarm says so; webhooks are another function",
        f"{_FUNCTIONS}polls_and_deliveries_cannot_take_the_executions_that_answer_calls",
        "sizes.reserved_concurrency",
    ),
    Limit(
        "executions of the webhooks' function",
        f"{_RESERVED['webhook_handler']:,}",
        "",
        "installation",
        "the same; they are kept for it",
        f"{_FUNCTIONS}exactly_the_signed_paths_invoke_the_webhook_function",
        "sizes.reserved_concurrency",
    ),
    Limit(
        "executions that deliver webhooks",
        f"{_RESERVED['deliver_event']:,}",
        "",
        "installation",
        "the state machine tries again for minutes, then the sweep",
        f"{_FUNCTIONS}polls_and_deliveries_cannot_take_the_executions_that_answer_calls",
        "sizes.reserved_concurrency",
    ),
    Limit(
        "relays",
        f"{_SIZES['relay_tasks_max']:,} tasks",
        "",
        "installation",
        "no more are started, and an alarm says that they are full",
        "tests/infra/test_media.py::test_relays_scale_on_calls_a_task_and_on_cpu",
        "sizes.relay_tasks_max",
    ),
    Limit(
        "requests that the firewalls block",
        "infra.alarms:FIREWALL_BLOCKS",
        "in 5 minutes",
        "installation",
        "an alarm; those beyond a limit are not logged",
        f"{_FIREWALL}requests_refused_by_a_rate_limit_are_not_logged",
        "infra/alarms.py",
    ),
    Limit(
        "requests that are paid for",
        "infra.alarms:REQUESTS_SURGE",
        "in 5 minutes",
        "installation",
        "an alarm",
        f"{_COSTS}each_resource_billed_by_the_request_has_an_alarm",
        "infra/alarms.py",
    ),
    Limit(
        "deliveries that are started",
        "infra.alarms:DELIVERIES_SURGE",
        "an hour",
        "installation",
        "an alarm",
        f"{_COSTS}each_resource_billed_by_the_request_has_an_alarm",
        "infra/alarms.py",
    ),
    Limit(
        "lines of logs",
        "infra.alarms:LOG_BYTES",
        "bytes an hour",
        "installation",
        "an alarm; every log group forgets",
        f"{_COSTS}every_log_group_has_a_retention",
        "infra/alarms.py",
    ),
    Limit(
        "the month's bill",
        "none unless set",
        "",
        "installation",
        "an e-mail at 80 %, at 100 %, and when 100 % is to be expected",
        f"{_COSTS}the_owner_is_told_before_the_month_costs_more_than_the_budget",
        "monthly_budget_usd",
    ),
)
