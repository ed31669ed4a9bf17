# SPDX-License-Identifier: Apache-2.0
"""Clusters, container instances, attributes and tags, driven with the AWS client."""
import datetime
import uuid

import pytest
from botocore.exceptions import ClientError

from tests.lab.berth import REGION

ARN = f"arn:aws:ecs:{REGION}:000000000000:"


def refused(call, **members):
    with pytest.raises(ClientError) as caught:
        call(**members)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def register(control, cluster="default", **more):
    """As an agent does: the client's own model of this call is older than the agent's."""
    return control.call("RegisterContainerInstance", cluster=cluster, clientToken=str(uuid.uuid4()), totalResources=[
        {"name": "CPU", "type": "INTEGER", "integerValue": 2048},
        {"name": "MEMORY", "type": "INTEGER", "integerValue": 3900},
        {"name": "PORTS", "type": "STRINGSET", "stringSetValue": ["22"]},
        {"name": "PORTS_UDP", "type": "STRINGSET", "stringSetValue": []}], **more)["containerInstance"]


def test_api_4_a_cluster_without_a_name(ecs):
    cluster = ecs.create_cluster()["cluster"]
    assert cluster["clusterArn"] == ARN + "cluster/default"
    assert cluster["status"] == "ACTIVE"
    assert [cluster[name] for name in ("registeredContainerInstancesCount", "runningTasksCount", "pendingTasksCount",
                                       "activeServicesCount")] == [0, 0, 0, 0]


def test_api_5_and_api_6_creating_is_idempotent_for_equal_arguments(ecs):
    first = ecs.create_cluster(clusterName="c1")["cluster"]
    assert ecs.create_cluster(clusterName="c1")["cluster"]["clusterArn"] == first["clusterArn"]
    assert ecs.list_clusters()["clusterArns"].count(first["clusterArn"]) == 1
    assert refused(ecs.create_cluster, clusterName="c1", settings=[
        {"name": "containerInsights", "value": "enabled"}]) == (
        "InvalidParameterException",
        "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).")


def test_api_7_a_bad_name(ecs):
    assert refused(ecs.create_cluster, clusterName="a b")[0] == "InvalidParameterException"


def test_api_8_what_is_missing_is_a_failure(ecs):
    ecs.create_cluster(clusterName="c1")
    answer = ecs.describe_clusters(clusters=["c1", "zz"])
    assert [cluster["clusterName"] for cluster in answer["clusters"]] == ["c1"]
    assert answer["failures"] == [{"arn": ARN + "cluster/zz", "reason": "MISSING"}]


def test_api_9_and_api_10_blocks_are_asked_for(ecs):
    ecs.create_cluster(clusterName="c1", tags=[{"key": "a", "value": "1"}])
    plain = ecs.describe_clusters(clusters=["c1"])["clusters"][0]
    assert (plain["settings"], plain["statistics"], plain["tags"]) == ([], [], [])
    whole = ecs.describe_clusters(clusters=["c1"], include=["SETTINGS", "STATISTICS", "TAGS"])["clusters"][0]
    assert whole["settings"] == [{"name": "containerInsights", "value": "disabled"}]
    assert whole["tags"] == [{"key": "a", "value": "1"}]
    statistics = {entry["name"]: entry["value"] for entry in whole["statistics"]}
    for kind in ("EC2", "Fargate"):
        assert [statistics[name] for name in (f"running{kind}TasksCount", f"pending{kind}TasksCount",
                                              f"active{kind}ServiceCount", f"draining{kind}ServiceCount")] == ["0"] * 4


def test_api_12_and_api_15_deleting_a_cluster(control, ecs):
    ecs.create_cluster(clusterName="c1")
    instance = register(control, "c1")["containerInstanceArn"]
    assert refused(ecs.delete_cluster, cluster="c1") == (
        "ClusterContainsContainerInstancesException",
        "The Cluster cannot be deleted while Container Instances are active or draining.")
    ecs.deregister_container_instance(cluster="c1", containerInstance=instance)
    assert ecs.delete_cluster(cluster="c1")["cluster"]["status"] == "INACTIVE"
    assert ARN + "cluster/c1" not in ecs.list_clusters()["clusterArns"]
    assert ecs.describe_clusters(clusters=["c1"])["clusters"][0]["status"] == "INACTIVE"
    assert refused(ecs.list_container_instances, cluster="c1") == ("ClusterNotFoundException", "Cluster not found.")
    assert ecs.create_cluster(clusterName="c1")["cluster"]["status"] == "ACTIVE"


def test_api_16_and_api_17_the_paginator_sees_every_cluster_once(ecs):
    names = {f"c{number:03}" for number in range(149)} | {"default"}
    for name in names:
        ecs.create_cluster(clusterName=name)
    pages = list(ecs.get_paginator("list_clusters").paginate())
    assert [len(page["clusterArns"]) for page in pages] == [100, 50]
    arns = [arn for page in ecs.get_paginator("list_clusters").paginate(PaginationConfig={"PageSize": 7})
            for arn in page["clusterArns"]]
    assert len(arns) == len(set(arns)) == 150
    assert {arn.split("/")[1] for arn in arns} == names


def test_api_18_pages_have_bounds(ecs):
    assert refused(ecs.list_clusters, maxResults=101)[0] == "InvalidParameterException"
    assert refused(ecs.list_clusters, nextToken="x") == ("InvalidParameterException", "Invalid token.")


def test_api_24_api_25_api_26_api_27_tags(ecs):
    arn = ecs.create_cluster(clusterName="c1")["cluster"]["clusterArn"]
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "1"}])
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "2"}, {"key": "b", "value": "3"}])
    ecs.untag_resource(resourceArn=arn, tagKeys=["b"])
    assert ecs.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "a", "value": "2"}]
    assert refused(ecs.tag_resource, resourceArn=arn, tags=[
        {"key": f"k{number}", "value": ""} for number in range(51)])[0] == "InvalidParameterException"
    assert refused(ecs.tag_resource, resourceArn=arn, tags=[{"key": "aws:x", "value": "1"}])[0] == (
        "InvalidParameterException")
    assert refused(ecs.tag_resource, resourceArn=ARN + "service/short", tags=[{"key": "a", "value": "1"}]) == (
        "InvalidParameterException", "Long arn format must be used for tagging operations")


def test_an_instance_from_registration_to_the_end(control, ecs):
    registered = register(control, attributes=[{"name": "ecs.os-type", "value": "linux"},
                                               {"name": "stack", "value": "prod"}])
    arn = registered["containerInstanceArn"]
    assert {"name": "stack", "value": "prod"} in registered["attributes"]
    described = ecs.describe_container_instances(containerInstances=[arn])["containerInstances"][0]
    # api-30: a time is a time to the client
    assert isinstance(described["registeredAt"], datetime.datetime)
    assert described["status"] == "ACTIVE" and not described["agentConnected"]
    cpu = next(resource for resource in described["remainingResources"] if resource["name"] == "CPU")
    assert (cpu["integerValue"], cpu["longValue"], cpu["doubleValue"]) == (2048, 0, 0.0)

    drained = ecs.update_container_instances_state(containerInstances=[arn], status="DRAINING")
    assert drained["containerInstances"][0]["status"] == "DRAINING" and drained["failures"] == []
    assert ecs.list_container_instances(status="DRAINING")["containerInstanceArns"] == [arn]
    assert ecs.list_container_instances(filter="attribute:stack == prod")["containerInstanceArns"] == [arn]
    assert ecs.list_container_instances(filter="attribute:stack == test")["containerInstanceArns"] == []

    ecs.put_attributes(attributes=[{"name": "rack", "value": "7", "targetId": arn}])
    assert ecs.list_attributes(targetType="container-instance", attributeName="rack")["attributes"] == [
        {"name": "rack", "value": "7", "targetId": arn}]
    ecs.delete_attributes(attributes=[{"name": "rack", "targetId": arn}])
    assert ecs.list_attributes(targetType="container-instance", attributeName="rack")["attributes"] == []

    assert ecs.deregister_container_instance(containerInstance=arn)["containerInstance"]["status"] == "INACTIVE"
    assert ecs.list_container_instances()["containerInstanceArns"] == []
    missing = ecs.describe_container_instances(containerInstances=["f" * 32])
    assert missing["failures"] == [{"arn": ARN + f"container-instance/default/{'f' * 32}", "reason": "MISSING"}]


def test_the_poll_endpoint_is_the_address_that_was_called(control, ecs):
    answer = ecs.discover_poll_endpoint(cluster="default", containerInstance="x")
    assert answer["endpoint"] == answer["telemetryEndpoint"] == control.url + "/"


def test_a_restart_keeps_instances_and_says_that_they_are_away(durable_control):
    arn = register(durable_control)["containerInstanceArn"]
    durable_control.restart()
    instance = durable_control.boto().describe_container_instances(containerInstances=[arn])["containerInstances"][0]
    assert (instance["status"], instance["agentConnected"]) == ("ACTIVE", False)
