"""The gateway with its SIP edge, on one EC2 instance with a permanent address of its own.

Not on Fargate: a task gets another address at each start, and carriers allow only known addresses.
Not behind a network balancer: it forwards fifty ports, and the gateway needs ten thousand. The
container is in the host's network, so that ports are those in the session descriptions. EC2
recovers the instance if its host fails, and ECS starts the container again if it ends or hangs. An
address belongs to one machine: further gateways are instances, addresses and services of their own.
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs

from infra import environment
from infra.images import health_command
from infra.lint import ANY, allow
from infra.media_service import Ground, MediaService
from infra.removal import KEPT
from infra.settings import GATEWAY_SYSTEM

RTP = (10000, 19999)
STOP_S = 60
"""Seconds from SIGTERM to SIGKILL: gateway and edge have twenty each."""
UID = 10001
"""The image's user (gateway/Dockerfile)."""

_HEALTH = ecs.HealthCheck(
    command=["CMD", *health_command("gateway")],
    interval=cdk.Duration.seconds(10),
    timeout=cdk.Duration.seconds(5),
    retries=3,
    start_period=cdk.Duration.seconds(60),
)
"""ECS replaces a task whose essential container is unhealthy: a gateway that hangs is gone after
half a minute. ECS does not look at the image's own check, and the balancer's only takes the target
out (ECS developer guide, "Determine Amazon ECS task health using container health checks")."""
_JOINS = (
    "ecs:RegisterContainerInstance",
    "ecs:DeregisterContainerInstance",
    "ecs:SubmitAttachmentStateChanges",
    "ecs:SubmitContainerStateChange",
    "ecs:SubmitTaskStateChange",
)
_WORKS = ("ecs:Poll", "ecs:StartTelemetrySession", "ecs:UpdateContainerInstancesState")
_FINDS_ITS_WAY = (
    "ecs:DiscoverPollEndpoint",
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)
_SYSTEMS = "/aws/service/ecs/optimized-ami/amazon-linux-2023"

_REJECT = f"iptables -I OUTPUT -d 169.254.169.254 -m owner --uid-owner {UID} -j REJECT"
_UNIT = "/etc/systemd/system/no-metadata.service"
_NO_METADATA = (
    # In the host's network a container could ask for the host's credentials. This one must not be
    # able to: its SIP edge is open to the whole Internet.
    "printf '%s\\n' '[Unit]' 'Before=ecs.service' '[Service]' 'Type=oneshot' "
    f"'ExecStart=/usr/sbin/{_REJECT}' "
    f"'[Install]' 'WantedBy=multi-user.target' > {_UNIT}",
    "systemctl enable --now no-metadata.service",
)


class GatewayService(MediaService):
    """The gateway's instance, its address, and the service that runs on it."""

    part, port = "gateway", 8703

    def __init__(
        self, scope: cdk.Stack, id_: str, ground: Ground, log: logs.LogGroup, number: int = 1
    ) -> None:
        """`number` counts gateways from 1."""
        super().__init__(scope, id_, ground, log)
        self._number = number
        self._suffix = "" if number == 1 else f"-{number}"
        instance = self._instance()
        self.instance_id = instance.instance_id
        address = ec2.CfnEIP(self, "Address", domain="vpc", instance_id=instance.instance_id)
        # Without it EC2 may refuse the address (CloudFormation template reference, AWS::EC2::EIP).
        address.node.add_dependency(self._cluster.vpc.node.find_child("VPCGW"))
        address.apply_removal_policy(KEPT)  # carriers allow this address
        service = self._service(self._task(address.ref), instance)
        service.node.add_dependency(instance)
        self._target(instance)
        cdk.CfnOutput(scope, f"SipAddress{self._suffix[1:]}", value=address.ref)

    def _group(self) -> ec2.SecurityGroup:
        group = self._security_group("Gateway: out, to carriers and the API", "gateway")
        for source in map(str, self.settings.sip_sources):
            for port in (ec2.Port.udp(5060), ec2.Port.tcp(5060), ec2.Port.tcp(5061)):
                group.add_ingress_rule(ec2.Peer.ipv4(source), port, "SIP")
        allow(
            group, "carriers send audio from anywhere, and SIP too unless told", "AwsSolutions-EC23"
        )
        # Carriers send audio from other addresses than SIP.
        group.add_ingress_rule(ec2.Peer.any_ipv4(), ec2.Port.udp_range(*RTP), "RTP")
        return group

    def _host(self) -> iam.Role:
        """Make the instance's role: its ECS agent works in this cluster, and Session Manager opens
        shells, so that SSH needs no open port. Images are pulled and logs written with the task's
        execution role.

        Sources: ECS developer guide, "Amazon ECS container instance IAM role"; Systems Manager user
        guide, "Create a custom IAM role for Session Manager".
        """
        role = iam.Role(self, "Host", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
        cluster = self._cluster.cluster_arn
        in_cluster = {"ArnEquals": {"ecs:cluster": cluster}}
        for actions, resource_, conditions in (
            (_JOINS, cluster, None), (_WORKS, "*", in_cluster), (_FINDS_ITS_WAY, "*", None),
        ):  # fmt: skip
            role.add_to_policy(
                iam.PolicyStatement(
                    actions=list(actions), resources=[resource_], conditions=conditions
                )
            )
        allow(role, "these actions have no resources that could be named", ANY)
        return role

    def _instance(self) -> ec2.Instance:
        role = self._host()
        setup = ec2.UserData.for_linux()
        setup.add_commands(
            f"echo ECS_CLUSTER={self._cluster.cluster_name} >> /etc/ecs/ecs.config",
            f"echo ECS_CONTAINER_STOP_TIMEOUT={STOP_S}s >> /etc/ecs/ecs.config",
            *_NO_METADATA,
        )
        image = self.settings.sizes.gateway_image
        system = GATEWAY_SYSTEM if image.startswith("ami-") else image
        made = ec2.Instance(
            self,
            "Instance",
            vpc=self._cluster.vpc,
            vpc_subnets=self._zone(),
            instance_type=ec2.InstanceType(self.settings.sizes.gateway_instance),
            machine_image=ec2.MachineImage.from_ssm_parameter(f"{_SYSTEMS}/{system}/image_id"),
            security_group=self._group(),
            role=role,
            user_data=setup,
            # Not `require_imdsv2`: it makes a launch template, whose name is the same in every
            # installation (CDK reference, InstanceProps).
            http_tokens=ec2.HttpTokens.REQUIRED,
            detailed_monitoring=True,
            block_devices=[
                ec2.BlockDevice(
                    device_name="/dev/xvda", volume=ec2.BlockDeviceVolume.ebs(30, encrypted=True)
                )
            ],
        )
        if image != system:
            made.instance.add_property_override("ImageId", image)
        allow(made, "it holds nothing, and a newer system takes its place", "AwsSolutions-EC29")
        return made

    def _zone(self) -> ec2.SubnetSelection:
        """Return the subnets to choose from: gateways take turns in the zones."""
        if self._number == 1:
            return ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC)
        public = self._cluster.vpc.public_subnets
        return ec2.SubnetSelection(subnets=[public[(self._number - 1) % len(public)]])

    def _task(self, address: str) -> ecs.Ec2TaskDefinition:
        task = ecs.Ec2TaskDefinition(self, "Task", network_mode=ecs.NetworkMode.HOST)
        self._container(
            task,
            environment.gateway(self.settings, public_ip=address, number=self._number),
            {
                "GATEWAY_AUTH_TOKEN": "CHAMADE_GATEWAY_AUTH_TOKEN",
                "GATEWAY_CONTROL_SECRET": "CHAMADE_GATEWAY_CONTROL_SECRET",
            },
            memory_limit_mib=self.settings.sizes.gateway_memory_mb,
            health_check=_HEALTH,
            stop_timeout=cdk.Duration.seconds(STOP_S),
        )
        return task

    def _service(self, task: ecs.Ec2TaskDefinition, instance: ec2.Instance) -> ecs.Ec2Service:
        # The instance joins the cluster by itself; the CDK expects a scaling group to do that.
        cluster = ecs.Cluster.from_cluster_attributes(
            self,
            "Joined",
            cluster_name=self._cluster.cluster_name,
            cluster_arn=self._cluster.cluster_arn,
            vpc=self._cluster.vpc,
            has_ec2_capacity=True,
        )
        return ecs.Ec2Service(
            self,
            "Service",
            cluster=cluster,
            task_definition=task,
            service_name=self.settings.name(f"gateway{self._suffix}"),
            placement_constraints=self._placement(instance),
            desired_count=1,
            # The container uses the machine's ports, so the old one must end before a new one
            # starts.
            min_healthy_percent=0,
            max_healthy_percent=100,
            circuit_breaker=ecs.DeploymentCircuitBreaker(enable=True, rollback=True),
            propagate_tags=ecs.PropagatedTagSource.SERVICE,
        )

    def _placement(self, instance: ec2.Instance) -> list[ecs.PlacementConstraint] | None:
        """Return the constraint that keeps a task on its own machine, whose address it has been
        told; None if there is one machine (ECS developer guide, "Create expressions to define
        container instances": ec2InstanceId)."""
        if self.settings.sizes.gateways == 1:
            return None
        return [ecs.PlacementConstraint.member_of(f"ec2InstanceId == {instance.instance_id}")]

    def _target(self, instance: ec2.Instance) -> None:
        self._balanced(targets.InstanceTarget(instance, self.port), leave_s=30)
        self._balancer.forward(
            f"GatewayRule{self._suffix[1:]}",
            self.settings.gateway_hosts[self._number - 1],
            ["/2010-04-01/*", "/trunks*", "/legs/*", "/healthz", "/status", "/drain"],
            self.targets,
        )
