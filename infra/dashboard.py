"""The dashboard in the console: calls at the top, then what they need, from the caller inwards."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.monitored_resources import MonitoredResources
from infra.queries import of_installation as queries
from infra.settings import Settings

_WIDTH, _HEIGHT = 8, 6
_MINUTE = cdk.Duration.minutes(1)


def dashboard(
    scope: Construct,
    settings: Settings,
    watched: MonitoredResources,
    alarms: Sequence[cloudwatch.Alarm],
) -> cloudwatch.Dashboard:
    """Make the dashboard, which is one page."""
    made = cloudwatch.Dashboard(
        scope,
        "Dashboard",
        dashboard_name=settings.name("calls"),
        default_interval=cdk.Duration.hours(3),
    )
    made.add_widgets(
        cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(alarms), width=24, height=3)
    )
    made.add_widgets(
        _graph(
            "Calls",
            *(watched.of_logs(f"Calls{each}") for each in ("Ringing", "Dialled", "Answered")),
        ),
        _graph(
            "How they ended",
            *(
                watched.of_logs(f"Calls{each}")
                for each in ("Missed", "Declined", "Ended", "Failed")
            ),
        ),
        _graph("Active: calls a relay", watched.of_logs("RelayCalls", "Average"),
               watched.of_logs("RelayCalls", "Maximum")),
    )  # fmt: skip
    made.add_widgets(
        _graph(
            "Providers' webhooks, ms",
            *(watched.of_logs("WebhookLatency", each) for each in ("p50", "p95", "p99")),
        ),
        _graph(
            "Relays: audio dropped, sockets refused, agents not reached",
            *(watched.of_logs(f"Relay{each}") for each in ("Drops", "Refused", "Unreached")),
        ),
        _graph(
            "Functions: errors, throttled",
            watched.of_functions("Errors", _MINUTE),
            watched.of_functions("Throttles", _MINUTE),
        ),
    )
    made.add_widgets(
        _graph(
            "Deliveries of webhooks",
            watched.of_logs("DeliveriesDelivered"),
            watched.of_logs("DeliveriesFailed"),
        ),
        _graph(
            "What receivers take to answer, ms",
            *(watched.of_logs("DeliveryLatency", each) for each in ("p50", "p95")),
        ),
        _graph("Errors", *(watched.of_logs(each) for each in ("Errors", "RelayErrors")),
               watched.of_logs("TableUnavailable"), watched.of_logs("SecretsClosed")),
    )  # fmt: skip
    made.add_widgets(
        _graph("Executions at a time", *watched.each_function("ConcurrentExecutions", _MINUTE)),
        _graph("Requests that the firewalls blocked", watched.of_firewalls(_MINUTE)),
    )
    if settings.sip:
        made.add_widgets(
            _graph(
                "Trunks",
                watched.of_logs("TrunksRegistered", "Maximum"),
                watched.of_logs("TrunksFailed", "Maximum"),
            ),
            _graph(
                "Gateway",
                watched.of_logs("GatewayCalls", "Maximum"),
                *(watched.of_logs(f"Gateway{each}") for each in ("Refused", "WebhookErrors")),
            ),
            _graph(
                "SIP: lag of the audio clock in ms",
                watched.of_logs("SipLag", "Maximum"),
            ),
        )
    if settings.hosted_voice:
        made.add_widgets(
            _graph("Hosted calls: a voice host", watched.of_logs("VoiceCalls", "Average"),
                   watched.of_logs("VoiceCalls", "Maximum")),
            _graph(
                "Voice hosts: no place, not spoken, not heard, errors",
                *(
                    watched.of_logs(f"Voice{each}")
                    for each in ("Refused", "Unspoken", "Unheard", "Errors")
                ),
            ),
        )  # fmt: skip
    errors = next(query for query in queries(settings) if query.id == "Errors")
    made.add_widgets(
        cloudwatch.LogQueryWidget(
            title="Last errors",
            log_group_names=errors.groups,
            query_string=errors.text.replace("limit 500", "limit 20"),
            width=24,
            height=_HEIGHT,
        )
    )
    return made


def _graph(title: str, *metrics: cloudwatch.IMetric) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title=title,
        left=list(metrics),
        width=_WIDTH,
        height=_HEIGHT,
        left_y_axis=cloudwatch.YAxisProps(min=0),
    )
