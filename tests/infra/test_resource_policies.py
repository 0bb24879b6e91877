"""Tests of the policies of topics, queues, buckets and keys. Each replaces a default of AWS's, so
it must itself allow what the installation needs.

Sources: Amazon SNS developer guide, "Allow CloudWatch alarms to publish to a topic"; Elastic Load
Balancing, "Attach a policy to your S3 bucket"; CloudWatch Logs, "Encrypt log data using KMS".
"""

from __future__ import annotations

import pytest

from tests.infra.policies import ACCOUNT, REGION, allows, resolved
from tests.infra.templates import STACKS, listed

pytestmark = pytest.mark.xdist_group("templates")  # one worker writes them, once

CLOUDWATCH = "cloudwatch.amazonaws.com"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:chamade-prod-alarms"
BUCKET = "arn:aws:s3:::access-log"


def of_topic(installed):
    policy = installed.only("AWS::SNS::TopicPolicy")
    (topic,) = [each["Ref"] for each in policy["Topics"]]
    return resolved(policy["PolicyDocument"], {topic: TOPIC})


def test_alarms_of_this_account_can_publish_to_the_topic(installed):
    assert allows(of_topic(installed), CLOUDWATCH, "sns:Publish", TOPIC, aws__SourceAccount=ACCOUNT)


def test_nobody_else_can_publish_to_the_topic(installed):
    policy = of_topic(installed)
    other = {"aws__SourceAccount": "999999999999"}
    assert not allows(policy, CLOUDWATCH, "sns:Publish", TOPIC, **other)
    assert not allows(policy, CLOUDWATCH, "sns:Publish", TOPIC)
    assert not allows(policy, "*", "sns:Publish", TOPIC, aws__SourceAccount=ACCOUNT)
    assert not allows(
        policy, CLOUDWATCH, "sns:Publish", TOPIC,
        aws__SourceAccount=ACCOUNT, aws__SecureTransport="false",
    )  # fmt: skip


def test_the_balancer_can_write_its_access_log(installed):
    documents = [
        resolved(policy["PolicyDocument"], {policy["Bucket"]["Ref"]: BUCKET})
        for policy in installed.properties("AWS::S3::BucketPolicy")
    ]
    (document,) = (each for each in documents if "logdelivery" in str(each))
    written = f"{BUCKET}/balancer/AWSLogs/{ACCOUNT}/elasticloadbalancing/x.log.gz"
    writer = "logdelivery.elasticloadbalancing.amazonaws.com"
    assert allows(document, writer, "s3:PutObject", written)
    assert not allows(document, writer, "s3:PutObject", f"{BUCKET}/other/x")


def test_the_function_of_the_stream_can_leave_lost_batches_in_the_queue(installed):
    """The queue's policy only denies; the function's role, of the same account, allows."""
    policy = installed.only("AWS::SQS::QueuePolicy")["PolicyDocument"]
    assert {each["Effect"] for each in policy["Statement"]} == {"Deny"}
    assert all("aws:SecureTransport" in str(each["Condition"]) for each in policy["Statement"])
    statements = installed.statements(installed.function("fan_out_events")["Role"])
    assert any("sqs:SendMessage" in listed(each["Action"]) for each in statements)


def test_every_key_stays_in_the_account_s_hands(installed):
    """Without the default statement nobody could change or use a key, not even the account."""
    root = f"arn:aws:iam::{ACCOUNT}:root"
    keys = installed.properties("AWS::KMS::Key")
    assert len(keys) == 4
    for key in keys:
        assert allows(resolved(key["KeyPolicy"], {}), root, "kms:PutKeyPolicy", "*")


def test_cloudwatch_logs_can_use_the_key_of_each_stack_s_log_groups(installed):
    for stack in STACKS:
        keys = {
            each["Properties"]["KmsKeyId"]["Fn::GetAtt"][0]
            for each in installed.resources(stack).values()
            if each["Type"] == "AWS::Logs::LogGroup"
        }
        for key in keys:
            policy = resolved(installed.resources(stack)[key]["Properties"]["KeyPolicy"], {})
            group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/chamade/prod/relay"
            service = f"logs.{REGION}.amazonaws.com"
            context = {"kms__EncryptionContext__aws__logs__arn": group}
            for action in ("Encrypt", "Decrypt", "GenerateDataKey", "DescribeKey"):
                assert allows(policy, service, f"kms:{action}", "*", **context)
            assert not allows(policy, service, "kms:Decrypt", "*")
