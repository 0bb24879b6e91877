"""Tests that a table can be restored as docs/runbooks.md says (table-lost): its commands are run on
the local engine, and its settings are synthesised.

Sources: DynamoDB developer guide, "Restore a table in DynamoDB" (a restored table has no stream,
TTL, point-in-time recovery, tags); CloudFormation user guide, "Import AWS resources into a
CloudFormation stack automatically" (a static name, DeletionPolicy Retain or RetainExceptOnCreate).
"""

from __future__ import annotations

import itertools
import json
import re
import shlex
import subprocess

import pytest

from infra.restored import complaints, prepare
from infra.settings import context, from_context
from operations.doctor import table as doctor
from operations.doctor.finding import Result
from operations.doctor.scene import Scene
from operations.installation import Installation
from tests.infra.templates import synthesised_variants
from tests.infra.test_changes_of_settings import exports, imports, refusals
from tests.support.engine import ROOT, client
from tests.unit.test_config import ENV

pytestmark = pytest.mark.xdist_group("templates")  # one worker writes them, once

FIRST, SECOND = "chamade-prod-calls", "chamade-prod-calls-2"
PAGE = (ROOT / "docs" / "runbooks.md").read_text()
RUNBOOK = PAGE.partition("## table-lost\n")[2].partition("\n## ")[0]


def commands():
    return re.findall(r"^ *(aws dynamodb .+)$", RUNBOOK, re.MULTILINE)


def settings(*tables):
    return from_context({**context()["chamade"], "tables": list(tables)})


def run(dynamodb, command):
    """Do what a command of AWS's command line does."""
    words = shlex.split(command)[2:]
    if words[0] == "wait":
        dynamodb.get_waiter(words[1].replace("-", "_")).wait(TableName=words[3])
        return
    arguments, rest = {}, words[1:]
    while rest:
        name, value = rest.pop(0).removeprefix("--"), True
        if rest and not rest[0].startswith("--"):
            value = rest.pop(0)
        elif name.startswith("no-"):
            name, value = name.removeprefix("no-"), False
        arguments["".join(part.capitalize() for part in name.split("-"))] = value
    getattr(dynamodb, words[0].replace("-", "_"))(**arguments)


@pytest.fixture(scope="module")
def variants(tmp_path_factory):
    return synthesised_variants(
        tmp_path_factory.mktemp("tables"),
        {
            "before": {}, "restored": {"tables": [FIRST, SECOND]}, "later": {"tables": [SECOND]},
            "again": {"tables": [SECOND, "third"]}, "back": {"tables": [SECOND, FIRST]},
        },
    )  # fmt: skip


@pytest.fixture
def dynamodb(engine, variants):
    """A client of the engine, on which the data stack has made its table, with two items in it."""
    resources = variants["before"].resources("data")
    wanted = {"AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::KMS::Alias"}
    template = {
        "Resources": {
            name: {"Type": each["Type"], "Properties": each["Properties"]}
            for name, each in resources.items()
            if each["Type"] in wanted
        }
    }
    cloudformation, dynamodb = client(engine, "cloudformation"), client(engine, "dynamodb")
    cloudformation.create_stack(StackName="to-be-restored", TemplateBody=json.dumps(template))
    for number in ("1", "2"):
        dynamodb.put_item(TableName=FIRST, Item={"pk": {"S": number}, "sk": {"S": "CALL"}})
    yield dynamodb
    for name in {FIRST, SECOND} & set(dynamodb.list_tables()["TableNames"]):
        dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False)
        dynamodb.delete_table(TableName=name)
    cloudformation.delete_stack(StackName="to-be-restored")


def with_key(engine, key):
    """Return clients of the engine, of which DynamoDB's says that tables have that key: the
    engine's restored tables have none, and AWS's keep the source's."""

    def made(service):
        found = client(engine, service)
        if service == "dynamodb":
            describe = found.describe_table

            def described(**which):
                answer = describe(**which)
                answer["Table"]["SSEDescription"] = {"KMSMasterKeyArn": key}
                return answer

            found.describe_table = described
        return found

    return made


def key_of(engine, alias="alias/chamade-prod-data"):
    return client(engine, "kms").describe_key(KeyId=alias)["KeyMetadata"]["Arn"]


def looked_at(engine, name):
    environment = {
        **ENV, "CHAMADE_TABLE": name, "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
    }  # fmt: skip
    installation = Installation({**environment, "AWS_ENDPOINT_URL": engine})
    from chalicelib.config import from_environment

    return list(doctor.as_made(Scene(installation, from_environment(environment), None)))


def test_the_runbook_s_steps_restore_the_table_with_all_that_it_needs(engine, dynamodb):
    restore, wait, unprotect, remove = commands()[-4:]
    run(dynamodb, restore)
    run(dynamodb, wait)
    bare = {each.name for each in looked_at(engine, SECOND) if each.result is Result.FAIL}
    assert {"table stream", "table ttl"} <= bare

    wanted = re.search(r'^ *("tables": .+)$', RUNBOOK, re.MULTILINE)[1]
    both = settings(*json.loads(f"{{{wanted}}}")["tables"])
    clients = with_key(engine, key_of(engine))
    done = list(prepare(both, clients))
    assert done == ["stream NEW_IMAGE", "time to live by expires_at", "point-in-time recovery",
                    "deletion protection"]  # fmt: skip
    assert list(prepare(both, clients)) == []  # the same command again changes nothing

    assert not [each for each in looked_at(engine, SECOND) if each.result is Result.FAIL]
    assert {each["pk"]["S"] for each in dynamodb.scan(TableName=SECOND)["Items"]} == {"1", "2"}
    backups = dynamodb.describe_continuous_backups(TableName=SECOND)
    recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"

    with pytest.raises(dynamodb.exceptions.ClientError):
        run(dynamodb, remove)  # it is protected
    run(dynamodb, unprotect)
    run(dynamodb, remove)
    assert FIRST not in dynamodb.list_tables()["TableNames"]


def test_a_table_that_cannot_be_used_is_refused_with_a_remedy(engine, dynamodb):
    clients = with_key(engine, key_of(engine))
    with pytest.raises(LookupError, match="no restored table behind the first"):
        list(prepare(settings(), clients))
    with pytest.raises(LookupError, match=f"no table {SECOND}: restore it first"):
        list(prepare(settings(FIRST, SECOND), clients))
    dynamodb.create_table(
        TableName="other", BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )  # fmt: skip
    with pytest.raises(LookupError, match="is it ours"):
        list(prepare(settings(FIRST, "other"), clients))
    dynamodb.delete_table(TableName="other")
    run(dynamodb, commands()[-4])
    with pytest.raises(LookupError, match="--sse-specification-override"):
        list(prepare(settings(FIRST, SECOND), with_key(engine, "arn:aws:kms:::key/other")))


def test_the_application_works_with_the_last_table_alone(variants):
    restored = variants["restored"]
    data, application = restored.template("data"), restored.template("application")
    tables = {
        each["Properties"]["TableName"]: id_
        for id_, each in data["Resources"].items()
        if each["Type"] == "AWS::DynamoDB::Table"
    }
    assert set(tables) == {FIRST, SECOND}
    former, used = (
        {name for name in exports(data) if tables[table] in name} for table in (FIRST, SECOND)
    )
    assert imports(application) & used == used
    assert not {name for name in imports(application) if name in former - used}


def test_the_restored_table_can_be_taken_over_by_cloudformation(variants):
    for each in variants["restored"].all("AWS::DynamoDB::Table"):
        assert isinstance(each["Properties"]["TableName"], str)
        assert each["DeletionPolicy"] in ("Retain", "RetainExceptOnCreate")
        assert each["UpdateReplacePolicy"] == "Retain"


def test_the_former_table_s_place_in_the_template_is_not_touched(variants):
    before, restored = (variants[each].resources("data") for each in ("before", "restored"))
    assert {name: restored[name] for name in before} == before


@pytest.mark.parametrize(
    "way", [("before", "restored", "later", "again"), ("restored", "later", "back")]
)
def test_each_step_of_a_restore_can_be_deployed(variants, way):
    for before, after in itertools.pairwise(way):
        assert list(refusals(variants[before], variants[after])) == []


def test_a_deployment_makes_no_empty_table_and_drops_none_that_is_used(variants):
    data = {name: variant.template("data") for name, variant in variants.items()}
    assert list(complaints({}, data["before"])) == []
    assert list(complaints(data["before"], data["before"])) == []
    assert list(complaints(data["restored"], data["later"])) == []
    (empty,) = complaints(data["before"], data["restored"])
    assert empty.startswith(f"{SECOND} would be made, and be empty")
    found = list(complaints(data["before"], data["later"]))
    assert any(line.startswith(f"{FIRST} is in use") for line in found)


def test_make_adopt_table_prepares_the_table_before_it_is_taken_over():
    said = subprocess.run(
        ["make", "-n", "-o", ".venv/.infra", "-o", ".venv/.cdk", "adopt-table"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    steps = ["infra.restored\n", "--import-existing-resources", "infra.restored .local/synth"]
    places = [said.index(step) for step in steps]
    assert places == sorted(places)


@pytest.mark.parametrize("target", ["deploy", "deploy-gateway"])
def test_a_deployment_looks_at_the_tables_first(target):
    said = subprocess.run(
        ["make", "-n", "-o", ".venv/.infra", "-o", ".venv/.cdk", target],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert said.index("infra.restored .local/synth") < said.index("cdk deploy")
