"""The storage of recordings: one bucket, whose objects expire, and what each function may do there.

Relays have no rights: functions sign the URLs to which they put segments. The bucket has a name of
its own, so that the stacks need no export.
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.lint import allow, resource
from infra.removal import KEPT
from infra.settings import Settings

COMPOSER = "compose_recording"
SEGMENT_DAYS = 3
"""Days after which a segment is deleted: it is composed within hours, or never."""
_COMPOSES = ("webhook_handler", "sweep")
"""Functions that start the composer: when a relay is done, and where none has said so."""
_MAY: dict[str, dict[str, tuple[str, ...]]] = {
    "webhook_handler": {"segments/*": ("s3:PutObject",)},
    "api_handler": {
        "recordings/*": ("s3:GetObject", "s3:DeleteObject"),
        "segments/*": ("s3:DeleteObject",),
    },
    COMPOSER: {
        "recordings/*": ("s3:PutObject", "s3:AbortMultipartUpload"),
        "segments/*": ("s3:GetObject", "s3:DeleteObject"),
    },
}
"""Function -> keys -> what it may do with them."""
_LISTS = ("api_handler", COMPOSER)
"""Functions that list segments."""


def bucket(scope: Construct, settings: Settings) -> s3.Bucket:
    """Make the bucket. It stays when its stack goes: it has people's conversations."""
    days = settings.sizes.recording_days
    made = s3.Bucket(
        scope,
        "Recordings",
        bucket_name=settings.recording_bucket,
        encryption=s3.BucketEncryption.S3_MANAGED,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        enforce_ssl=True,
        lifecycle_rules=[
            s3.LifecycleRule(
                prefix="recordings/",
                # The application shows it as deleted then; S3 counts from the next midnight.
                expiration=cdk.Duration.days(days),
                abort_incomplete_multipart_upload_after=cdk.Duration.days(1),
            ),
            s3.LifecycleRule(prefix="segments/", expiration=cdk.Duration.days(SEGMENT_DAYS)),
        ],
        removal_policy=KEPT,
    )
    if made.policy is not None:
        made.policy.apply_removal_policy(KEPT)
    allow(made, "the functions' traces say who read and wrote what", "AwsSolutions-S1")
    return made


def rights(role: iam.Role, settings: Settings, function: str) -> None:
    """Allow a function what its code does with recordings."""
    stack = cdk.Stack.of(role)
    arn = f"arn:{stack.partition}:s3:::{settings.recording_bucket}"
    for keys, actions in _MAY.get(function, {}).items():
        what = f"{arn}/{keys}"
        role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=[what]))
        allow(role, "the recordings of all calls", resource(what, stack))
    if function in _LISTS:
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["s3:ListBucket"],
                resources=[arn],
                conditions={"StringLike": {"s3:prefix": "segments/*"}},
            )
        )
    if function in _COMPOSES:
        composer = stack.format_arn(
            service="lambda",
            resource="function",
            resource_name=settings.composer,
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )
        role.add_to_policy(
            iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[composer])
        )
