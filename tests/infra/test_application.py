"""Tests of the application's template: functions, API, state machines, stream, sweep."""

from __future__ import annotations

import json
import re
import sys
import zipfile

import pytest

from infra.environment import LEFT_OUT
from infra.settings import FUNCTIONS
from operations.doctor.executions import WANTED
from tests.infra.templates import actions, listed
from tests.package.imports import check_imports
from tests.support.engine import ROOT

pytestmark = pytest.mark.xdist_group("templates")  # one worker writes them, once

ANSWERS_NO_REQUEST = ("expire_ring", "fan_out_events", "deliver_event", "compose_recording")

MOST_ZIPPED = 25_000_000
"""Bytes, with bytecode; docs/package.md has the parts."""


def variables_of_the_code():
    """Every CHAMADE_ variable that the application reads."""
    code = "".join(path.read_text() for path in (ROOT / "chalicelib").rglob("*.py"))
    plain = set(re.findall(r'"(CHAMADE_[A-Z_]+)"', code))
    of_providers = set(re.findall(r'f"CHAMADE_\{name\.upper\(\)\}(_[A-Z_]+)"', code))
    return plain | {
        f"CHAMADE_{name}{each}" for name in ("TWILIO", "GATEWAY") for each in of_providers
    }


def settings_of(function):
    """The names in a function's environment, with those whose values are fetched."""
    names = function["Environment"]["Variables"]
    return {name.removesuffix("_ARN") for name in names}


def test_the_functions_are_given_every_setting_the_code_reads(installed, with_options):
    of_code = variables_of_the_code()
    assert {"CHAMADE_TABLE", "CHAMADE_TWILIO_AUTH_TOKEN", "CHAMADE_SIGN_UP"} <= of_code
    somewhere = settings_of(installed.function("sweep")) | settings_of(
        with_options.function("sweep")
    )
    assert of_code - somewhere == set(LEFT_OUT)
    assert somewhere <= of_code


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_get_the_arns_of_secrets_and_no_secret(installed, name):
    environment = installed.function(name)["Environment"]["Variables"]
    secret = {each for each in environment if re.search("SECRET|TOKEN", each)}
    assert len(secret) == (3 if name in ANSWERS_NO_REQUEST else 5)
    assert all(each.endswith("_ARN") and isinstance(environment[each], dict) for each in secret)


def test_the_public_url_that_signatures_are_checked_against_is_the_api_s(installed):
    environment = installed.function("api_handler")["Environment"]["Variables"]
    domain = installed.only("AWS::ApiGateway::DomainName")
    assert environment["CHAMADE_PUBLIC_URL"] == f"https://{domain['DomainName']}"
    mapping = installed.only("AWS::ApiGateway::BasePathMapping")
    assert "BasePath" not in mapping  # or it would be part of every signed URL
    assert domain["SecurityPolicy"] == "TLS_1_2"
    assert installed.only("AWS::Serverless::Api")["DisableExecuteApiEndpoint"] is True


def test_each_function_has_a_role_of_its_own(installed):
    roles = [installed.function(name)["Role"]["Fn::GetAtt"][0] for name in FUNCTIONS]
    assert len(set(roles)) == len(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_function_may_do_more_than_its_code_does(installed, name):
    statements = installed.statements(installed.function(name)["Role"])
    allowed = actions(statements)
    assert not {each for each in allowed if "*" in each}
    assert {"dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"} <= allowed
    assert not {"dynamodb:Scan", "dynamodb:DeleteTable", "states:StopExecution"} & allowed
    starts = [
        json.dumps(each["Resource"]) for each in statements
        if "states:StartExecution" in listed(each["Action"])
    ]  # fmt: skip
    text = "".join(starts)
    assert ("ring-timeout" in text) == (name in ("webhook_handler", "api_handler", "sweep"))
    delivers = ("api_handler", "deliver_event", "fan_out_events", "sweep")
    assert ("deliver-event" in text) == (name in delivers)
    assert ("states:DescribeExecution" in allowed) == (name == "sweep")
    for_any = actions([each for each in statements if each["Resource"] == "*"])
    assert for_any == {
        "xray:PutTraceSegments", "xray:PutTelemetryRecords", "secretsmanager:BatchGetSecretValue",
    } | ({"dynamodb:ListStreams"} if name == "fan_out_events" else set())  # fmt: skip


def vault_actions(installed, name):
    statements = installed.statements(installed.function(name)["Role"])
    return actions([each for each in statements if "VaultKey" in json.dumps(each["Resource"])])


def test_only_functions_that_seal_or_open_may_use_the_vault_s_key(installed):
    assert vault_actions(installed, "api_handler") == {"kms:GenerateDataKey", "kms:Decrypt"}
    assert vault_actions(installed, "webhook_handler") == {"kms:Decrypt"}
    assert vault_actions(installed, "deliver_event") == {"kms:Decrypt"}
    for name in ("expire_ring", "sweep", "fan_out_events"):
        assert vault_actions(installed, name) == set()


def test_the_table_s_key_can_be_used_through_its_aws_services_only(installed):
    for name in FUNCTIONS:
        statements = installed.statements(installed.function(name)["Role"])
        of_key = [each for each in statements if "DataKey" in json.dumps(each["Resource"])]
        assert of_key
        assert all("kms:ViaService" in each["Condition"]["StringEquals"] for each in of_key)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_function_is_traced_and_its_log_group_has_a_retention(installed, name):
    function = installed.function(name)
    assert function["Tracing"] == "Active"
    group = installed.resources("application")[function["LoggingConfig"]["LogGroup"]["Ref"]]
    assert group["Properties"]["LogGroupName"] == f"/chamade/prod/{name}"
    assert group["Properties"]["RetentionInDays"] == 30
    assert "KmsKeyId" in group["Properties"]


def test_functions_time_out_before_their_callers_do(installed):
    waits = {"expire_ring": "ring_timeout.asl.json", "deliver_event": "deliver_event.asl.json"}
    for name, file in waits.items():
        states = json.loads((ROOT / "infra" / file).read_text())["States"].values()
        (patience,) = [each["TimeoutSeconds"] for each in states if each["Type"] == "Task"]
        assert installed.function(name)["Timeout"] < patience
    assert installed.function("api_handler")["Timeout"] <= 29
    assert installed.function("deliver_event")["Timeout"] >= 15 + 23  # a try, and a slow table


@pytest.mark.parametrize(
    ("file", "name", "function"),
    [
        ("ring_timeout.asl.json", "chamade-prod-ring-timeout", "ExpireRing"),
        ("deliver_event.asl.json", "chamade-prod-deliver-event", "DeliverEvent"),
    ],
)
def test_each_state_machine_is_that_of_its_file_traced_and_fully_logged(
    installed, file, name, function
):
    machine = installed.only("AWS::StepFunctions::StateMachine", StateMachineName=name)
    assert json.loads(machine["DefinitionString"]) == json.loads(
        (ROOT / "infra" / file).read_text()
    )
    placeholders = set(re.findall(r'"\$\{(\w+)\}"', machine["DefinitionString"]))
    assert machine["DefinitionSubstitutions"] == {
        each: {"Fn::GetAtt": [function, "Arn"]} for each in placeholders
    }
    assert machine.get("StateMachineType", "STANDARD") == "STANDARD"
    assert machine["TracingConfiguration"] == {"Enabled": True}
    logging = machine["LoggingConfiguration"]
    assert (logging["Level"], logging["IncludeExecutionData"]) == ("ALL", True)
    invoked = [
        each["Resource"] for each in installed.statements(machine["RoleArn"])
        if each["Action"] == "lambda:InvokeFunction"
    ]  # fmt: skip
    assert invoked == [{"Fn::GetAtt": [function, "Arn"]}]


@pytest.mark.parametrize("name", ["ring-timeout", "deliver-event"])
def test_the_functions_get_the_arns_of_the_state_machines(installed, name):
    """By name: the machines need the functions' ARNs, so these cannot refer to the machines."""
    (machine,) = installed.properties(
        "AWS::StepFunctions::StateMachine", StateMachineName=f"chamade-prod-{name}"
    )
    environment = json.dumps(installed.function("api_handler")["Environment"])
    assert f":stateMachine:{machine['StateMachineName']}" in environment


def test_the_stream_s_mapping_is_that_of_its_file_with_a_queue_for_failed_records(installed):
    mapping = dict(installed.only("AWS::Lambda::EventSourceMapping"))
    assert mapping.pop("FunctionName") == {"Ref": "FanOutEvents"}
    assert "StreamArn" in json.dumps(mapping.pop("EventSourceArn"))
    queue = mapping.pop("DestinationConfig")["OnFailure"]["Destination"]["Fn::GetAtt"][0]
    assert installed.resources("application")[queue]["Type"] == "AWS::SQS::Queue"
    mapping.pop("Tags")
    assert mapping == json.loads((ROOT / "infra" / "fan_out_events.json").read_text())
    allowed = actions(installed.statements(installed.function("fan_out_events")["Role"]))
    assert {"sqs:SendMessage", "dynamodb:GetRecords"} <= allowed


def test_the_sweep_runs_every_five_minutes(installed):
    rule = installed.only("AWS::Events::Rule")
    assert rule["ScheduleExpression"] == "rate(5 minutes)"
    (target,) = rule["Targets"]
    assert target["Arn"] == {"Fn::GetAtt": ["Sweep", "Arn"]}
    assert json.loads(target["Input"]) == {}
    permission = installed.only(
        "AWS::Lambda::Permission", Principal="events.amazonaws.com", FunctionName={"Ref": "Sweep"}
    )
    assert permission["SourceArn"]["Fn::GetAtt"][1] == "Arn"


def of_type(resources, type_):
    return [each["Properties"] for each in resources.values() if each["Type"] == type_]


def test_the_api_s_stage_is_throttled_traced_and_measured(installed):
    (stage,) = of_type(installed.expanded(), "AWS::ApiGateway::Stage")
    (settings,) = stage["MethodSettings"]
    assert (settings["HttpMethod"], settings["ResourcePath"]) == ("*", "/*")
    assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == (2000, 4000)
    assert stage["TracingEnabled"] is True
    assert stage["AccessLogSetting"]["DestinationArn"]["Fn::GetAtt"][0].startswith("FrontAccessLog")
    # Execution logs hold bodies, and API keys in them.
    assert (settings["LoggingLevel"], settings["DataTraceEnabled"]) == ("OFF", False)


def test_the_domain_name_and_the_firewall_belong_to_the_api_s_stage(installed):
    made = installed.expanded()
    (stage,) = [name for name, each in made.items() if each["Type"] == "AWS::ApiGateway::Stage"]
    (mapping,) = of_type(made, "AWS::ApiGateway::BasePathMapping")
    assert mapping["Stage"] == {"Ref": stage}
    (association,) = of_type(made, "AWS::WAFv2::WebACLAssociation")
    assert association["ResourceArn"]["Fn::Sub"].endswith(f"/stages/${{{stage}}}")


def test_the_api_cannot_be_reached_except_by_its_domain_name(installed):
    (api,) = of_type(installed.expanded(), "AWS::ApiGateway::RestApi")
    endpoint_configuration = api["Body"]["x-amazon-apigateway-endpoint-configuration"]
    assert endpoint_configuration == {"disableExecuteApiEndpoint": True}


def test_an_access_log_line_has_no_text_chosen_by_the_client(installed):
    line = installed.only("AWS::Serverless::Api")["AccessLogSetting"]["Format"]
    chosen = r"context\.(path|error\.message|identity\.userAgent|authorizer)|input\."
    assert not re.search(chosen, line)


def test_requests_for_unknown_routes_are_answered_with_a_problem(installed):
    """In the API's description itself, or it would wait for the next deployment."""
    (api,) = of_type(installed.expanded(), "AWS::ApiGateway::RestApi")
    answers = api["Body"]["x-amazon-apigateway-gateway-responses"]
    unknown = answers["MISSING_AUTHENTICATION_TOKEN"]
    problem = json.loads(unknown["responseTemplates"]["application/json"])
    assert (unknown["statusCode"], problem["code"], problem["status"]) == ("404", "not_found", 404)
    assert {"DEFAULT_4XX", "DEFAULT_5XX", "THROTTLED", "WAF_FILTERED"} <= set(answers)
    for answer in answers.values():
        headers = answer["responseParameters"]
        assert headers["gatewayresponse.header.Content-Type"] == "'application/problem+json'"
        assert "gatewayresponse.header.Strict-Transport-Security" in headers


def test_the_package_is_complete_and_built_for_linux(installed):
    (package,) = installed.folder.glob("asset.*.zip")
    names = zipfile.ZipFile(package).namelist()
    for wanted in (
        "app.py", "chalicelib/config.py", "common/addresses.py", "dashboard/index.html",
        "twilio/__init__.py", "mcp/__init__.py", "phonenumbers/__init__.py",
    ):  # fmt: skip
        assert wanted in names
    for folder in ("dashboard", "common"):
        here = {
            str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }  # fmt: skip
        assert here <= set(names)
    native = [name for name in names if name.endswith(".so")]
    assert any(name.startswith("pydantic_core/") for name in native)
    assert all(re.search(r"x86_64-linux|\.abi3\.so|lib[\w.-]+\.so", name) for name in native)
    compiled = f"chalicelib/__pycache__/config.{sys.implementation.cache_tag}.pyc"
    assert compiled in names
    assert not [name for name in names if name.startswith(("pip/", "aiohttp/", "chalice/cli/"))]
    assert package.stat().st_size < MOST_ZIPPED


def test_everything_the_application_imports_is_in_the_package(installed, tmp_path):
    (package,) = installed.folder.glob("asset.*.zip")
    zipfile.ZipFile(package).extractall(tmp_path)
    check_imports(tmp_path)


def test_dns_records_and_certificates_are_made_if_the_zone_is_known(installed, with_options):
    records = with_options.properties("AWS::Route53::RecordSet")
    assert {each["Name"] for each in records} == {
        "api.phone.example.net", "relay.phone.example.net", "voice.phone.example.net",
    }  # fmt: skip
    assert installed.properties("AWS::Route53::RecordSet") == []
    outputs = installed.template("media")["Outputs"]
    said = {each.get("Description") for each in outputs.values()}
    assert "CNAME of relay.chamade.example.com" in said


def test_webhooks_timers_and_the_stream_have_executions_of_their_own(installed):
    """AWS requires that 100 of the account's executions stay unreserved."""
    reserved = {
        name: installed.function(name).get("ReservedConcurrentExecutions", 0) for name in FUNCTIONS
    }
    assert all(reserved.values()), reserved
    assert sum(reserved.values()) <= WANTED - 100


def test_the_page_has_the_reserved_executions_of_each_function(installed):
    page = (ROOT / "docs" / "aws.md").read_text()
    for name in FUNCTIONS:
        (row,) = re.findall(rf"^\| `{name}` \| (\d+) \|", page, re.MULTILINE)
        assert int(row) == installed.function(name)["ReservedConcurrentExecutions"]
