# SPDX-License-Identifier: Apache-2.0
"""Task definitions, driven with the AWS client. Every refusal has its unit test; here those with a known text of AWS."""
import datetime

import pytest
from botocore.exceptions import ClientError

from tests.lab.berth import REGION

ARN = f"arn:aws:ecs:{REGION}:000000000000:task-definition/"
ROLE = "arn:aws:iam::000000000000:role/execution"


def container(name="web", image="busybox", memory=128, **more):
    found = {"name": name, "image": image, "memory": memory, **more}
    return {key: value for key, value in found.items() if value is not None}


def register(ecs, *containers, **more):
    return ecs.register_task_definition(family="web", containerDefinitions=list(containers or [container()]),
                                        **more)["taskDefinition"]


def refused(call, **members):
    with pytest.raises(ClientError) as caught:
        call(**members)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_api_31_and_api_32_revisions_and_defaults(ecs):
    first, second = register(ecs), register(ecs)
    assert (first["revision"], second["revision"], second["taskDefinitionArn"]) == (1, 2, ARN + "web:2")
    assert isinstance(second["registeredAt"], datetime.datetime)
    assert second["containerDefinitions"] == [{
        "name": "web", "image": "busybox", "memory": 128, "cpu": 0, "essential": True, "environment": [],
        "mountPoints": [], "volumesFrom": [], "portMappings": [], "systemControls": []}]


def port(**more):
    return [{"protocol": "tcp", **more}]


@pytest.mark.parametrize("message, containers, more", [
    pytest.param("Invalid setting for container 'web'. At least one of 'memory' or 'memoryReservation' must be "
                 "specified.", [container(memory=None)], {}, id="api-33"),
    pytest.param("The 'memory' setting for container 'web' is greater than for the task.", [container(memory=512)],
                 {"memory": "256"}, id="api-35"),
    pytest.param("The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.",
                 [container(cpu=200), container("b", cpu=100)], {"cpu": "256", "memory": "512"}, id="api-36"),
    pytest.param("Invalid 'cpu' setting for task.", [container()], {"cpu": ""}, id="api-38"),
    pytest.param("Container.image should not be null or empty.", [container(image=None)], {}, id="api-39"),
    pytest.param("Too many containers.", [container(f"c{number}") for number in range(11)], {}, id="api-40"),
    pytest.param("When networkMode=awsvpc, the host ports and container ports in port mappings must match.",
                 [container(portMappings=port(containerPort=80, hostPort=81))], {"networkMode": "awsvpc"}, id="api-43"),
    pytest.param("Invalid 'containerPort' setting for container 'web'.", [container(portMappings=port(hostPort=80))], {},
                 id="api-44"),
    pytest.param("TCP host port '3000' is mapped multiple times in task.",
                 [container(portMappings=port(containerPort=80, hostPort=3000)),
                  container("b", portMappings=port(containerPort=80, hostPort=3000))], {}, id="api-45"),
    pytest.param("Links are not supported when networkMode=awsvpc.", [container(links=["b"]), container("b")],
                 {"networkMode": "awsvpc"}, id="api-47"),
    pytest.param("hostname is not supported on container when networkMode=awsvpc.", [container(hostname="h")],
                 {"networkMode": "awsvpc"}, id="api-48"),
    pytest.param("Unknown volume 'v'.", [container(mountPoints=[{"sourceVolume": "v", "containerPath": "/v"}])], {},
                 id="api-49"),
    pytest.param("A dependency container with SUCCESS or COMPLETE condition cannot be an essential container",
                 [container(dependsOn=[{"containerName": "b", "condition": "SUCCESS"}]), container("b")], {},
                 id="api-51"),
    pytest.param("When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.",
                 [container(secrets=[{"name": "A", "valueFrom": "p"}])], {}, id="api-56"),
    pytest.param("Log driver awslogs requires options: awslogs-region, awslogs-group",
                 [container(logConfiguration={"logDriver": "awslogs"})], {}, id="api-57"),
    pytest.param("Fargate only supports network mode ‘awsvpc’.", [container()],
                 {"requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512"}, id="api-58"),
    pytest.param("No Fargate configuration exists for given values.", [container()],
                 {"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "4096"},
                 id="api-59"),
    pytest.param("Fargate requires that 'cpu' be defined at the task level.", [container()],
                 {"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc"}, id="api-60"),
    pytest.param("constraint.type 'distinctInstance' is not supported.", [container()],
                 {"placementConstraints": [{"type": "distinctInstance"}]}, id="api-61"),
])
def test_refusals_have_the_texts_of_aws(control, message, containers, more):
    import boto3
    from botocore.config import Config
    # The client would refuse some of these itself.
    ecs = boto3.client("ecs", endpoint_url=control.url, region_name=REGION, aws_access_key_id="x",
                       aws_secret_access_key="y", config=Config(parameter_validation=False))
    assert refused(ecs.register_task_definition, family="web", containerDefinitions=containers, **more) == (
        "ClientException", message)
    assert ecs.list_task_definitions()["taskDefinitionArns"] == []


@pytest.mark.parametrize("containers", [
    pytest.param([container(dependsOn=[{"containerName": "b", "condition": "HEALTHY"}]), container("b")], id="api-52"),
    pytest.param([container(dependsOn=[{"containerName": "b", "condition": "START"}]),
                  container("b", dependsOn=[{"containerName": "web", "condition": "START"}])], id="api-53"),
    pytest.param([container(healthCheck={"command": ["CMD", "true"], "interval": 1})], id="api-55"),
])
def test_other_refusals(ecs, containers):
    assert refused(ecs.register_task_definition, family="web", containerDefinitions=containers)[0] == "ClientException"


def test_api_34_api_37_sizes(ecs):
    assert register(ecs, container(memory=None), memory="256")["memory"] == "256"
    definition = register(ecs, cpu="1 vCPU", memory="2GB")
    assert (definition["cpu"], definition["memory"]) == ("1024", "2048")


def test_api_41_api_42_api_46_ports(ecs):
    def mappings(*given, **more):
        return register(ecs, container(portMappings=list(given)), **more)["containerDefinitions"][0]["portMappings"]

    assert mappings({"containerPort": 80}) == [{"containerPort": 80, "hostPort": 0, "protocol": "tcp"}]
    assert mappings({"containerPort": 80}, networkMode="awsvpc") == [
        {"containerPort": 80, "hostPort": 80, "protocol": "tcp"}]
    assert len(mappings({"containerPort": 53, "hostPort": 3000},
                        {"containerPort": 53, "hostPort": 3000, "protocol": "udp"})) == 2


def test_api_50_api_54_volumes_and_health_checks(ecs):
    definition = register(ecs, container(healthCheck={"command": ["CMD", "true"]}), volumes=[{"name": "v"}])
    assert definition["volumes"] == [{"name": "v", "host": {}}]
    assert definition["containerDefinitions"][0]["healthCheck"] == {
        "command": ["CMD", "true"], "interval": 30, "timeout": 5, "retries": 3}


def test_api_62_api_63_api_64_compatibilities_and_attributes(ecs):
    assert register(ecs)["compatibilities"] == ["EXTERNAL", "EC2"]
    awsvpc = register(ecs, networkMode="awsvpc", cpu="256", memory="512")
    assert awsvpc["compatibilities"] == ["EC2", "FARGATE"]
    names = [attribute["name"] for attribute in awsvpc["requiresAttributes"]]
    assert {"ecs.capability.task-eni", "com.amazonaws.ecs.capability.docker-remote-api.1.18"} <= set(names)
    logs = {"logDriver": "awslogs", "options": {"awslogs-region": "r", "awslogs-group": "g"}}
    rich = register(ecs, container(image="123456789012.dkr.ecr.us-east-1.amazonaws.com/web:1", logConfiguration=logs),
                    executionRoleArn=ROLE)
    assert {attribute["name"] for attribute in rich["requiresAttributes"]} == {
        "com.amazonaws.ecs.capability.logging-driver.awslogs", "com.amazonaws.ecs.capability.docker-remote-api.1.19",
        "ecs.capability.execution-role-awslogs", "com.amazonaws.ecs.capability.ecr-auth",
        "ecs.capability.execution-role-ecr-pull"}


def test_api_65_api_66_describe(ecs):
    register(ecs, tags=[{"key": "a", "value": "1"}])
    register(ecs)
    assert ecs.describe_task_definition(taskDefinition="web")["taskDefinition"]["revision"] == 2
    assert "tags" not in ecs.describe_task_definition(taskDefinition="web:1")
    assert ecs.describe_task_definition(taskDefinition="web:1", include=["TAGS"])["tags"] == [
        {"key": "a", "value": "1"}]
    assert refused(ecs.describe_task_definition, taskDefinition="nope") == (
        "ClientException", "Unable to describe task definition.")


def test_api_67_api_68_api_69_deregister(ecs):
    register(ecs)
    register(ecs)
    assert refused(ecs.deregister_task_definition, taskDefinition="web") == ("ClientException", "Revision is missing.")
    assert refused(ecs.deregister_task_definition, taskDefinition="web:foo") == (
        "InvalidParameterException", "Invalid revision number. Number: foo")
    gone = ecs.deregister_task_definition(taskDefinition="web:1")["taskDefinition"]
    assert gone["status"] == "INACTIVE" and isinstance(gone["deregisteredAt"], datetime.datetime)
    assert ecs.list_task_definitions()["taskDefinitionArns"] == [ARN + "web:2"]
    assert ecs.list_task_definitions(status="INACTIVE")["taskDefinitionArns"] == [ARN + "web:1"]


def test_api_74_api_75_lists(ecs):
    for _ in range(10):
        register(ecs)
    arns = ecs.list_task_definitions(sort="DESC")["taskDefinitionArns"]
    assert [int(arn.rsplit(":", 1)[1]) for arn in arns] == list(range(10, 0, -1))
    pages = ecs.get_paginator("list_task_definitions").paginate(PaginationConfig={"PageSize": 3})
    assert [arn for page in pages for arn in page["taskDefinitionArns"]] == arns[::-1]
    ecs.register_task_definition(family="welcome", containerDefinitions=[container()])
    ecs.deregister_task_definition(taskDefinition="welcome:1")
    assert ecs.list_task_definition_families(familyPrefix="we", status="ACTIVE")["families"] == ["web"]
    assert ecs.list_task_definition_families(familyPrefix="we")["families"] == ["web", "welcome"]
