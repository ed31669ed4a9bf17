# SPDX-License-Identifier: Apache-2.0
"""RunTask to STOPPED through the AWS client, with an agent that is scripted."""
import contextlib
import json
import platform
import sqlite3
import threading
import time
import urllib.error

import pytest
from botocore.exceptions import ClientError

from fake_agent import *  # noqa: F401,F403  (fixtures are found by name)
from fake_agent import FakeAgent, wait_for

VPC = [{"name": "web", "image": "busybox", "memory": 64, "portMappings": [{"containerPort": 80}]}]
SUBNET_ID = "subnet-berth"


def error_of(call, **members):
    with pytest.raises(ClientError) as caught:
        call(**members)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def reasons(answer):
    return sorted(failure["reason"] for failure in answer["failures"])


def test_without_instances_run_task_is_an_error(plane):
    """api-76"""
    definition = plane.define()
    assert error_of(plane.ecs.run_task, taskDefinition=definition) == (
        "InvalidParameterException", "No Container Instances were found in your cluster.")


def test_the_answer_of_run_task(plane, agent):
    """api-77"""
    answer = plane.run(plane.define(), count=2)
    assert answer["failures"] == [] and len(answer["tasks"]) == 2
    task = answer["tasks"][0]
    assert task["lastStatus"] == "PENDING" and task["desiredStatus"] == "RUNNING" and task["version"] == 1
    assert task["group"] == "family:web" and task["launchType"] == "EC2"
    assert task["overrides"] == {"containerOverrides": [{"name": "web"}], "inferenceAcceleratorOverrides": []}
    assert task["cpu"] == "128" and task["memory"] == "128"
    assert task["containerInstanceArn"] == agent.arn
    assert task["taskArn"].startswith("arn:aws:ecs:us-west-2:000000000000:task/default/")
    assert len(task["taskArn"].split("/")[-1]) == 32
    assert task["attachments"] == [] and task["tags"] == []
    assert task["attributes"] == [{"name": "ecs.cpu-architecture", "value": {
        "aarch64": "arm64"}.get(platform.machine(), platform.machine())}]
    assert task["enableExecuteCommand"] is False and task["healthStatus"] == "UNKNOWN"
    container = task["containers"][0]
    assert container["lastStatus"] == "PENDING" and container["networkInterfaces"] == []
    assert container["cpu"] == "128" and container["memory"] == "128"
    assert "runtimeId" not in container and "healthStatus" not in container
    assert container["containerArn"].startswith("arn:aws:ecs:us-west-2:000000000000:container/default/")


@pytest.mark.parametrize("count", [0, 11, -1])
def test_count_has_bounds(plane, agent, count):
    """api-78"""
    code, _ = error_of(plane.ecs.run_task, taskDefinition=plane.define(), count=count)
    assert code == "InvalidParameterException"


def test_what_does_not_fit_fails_on_every_instance(plane, agent):
    """api-79, api-80"""
    other = FakeAgent(plane)
    other.connect()
    answer = plane.run(plane.define("fat", containers=[{"name": "a", "image": "i", "cpu": 4096, "memory": 10}]))
    assert answer["tasks"] == [] and reasons(answer) == ["RESOURCE:CPU"] * 2
    assert {failure["arn"] for failure in answer["failures"]} == {agent.arn, other.arn}
    answer = plane.run(plane.define("big", containers=[{"name": "a", "image": "i", "cpu": 1, "memory": 99999}]))
    assert answer["tasks"] == [] and reasons(answer) == ["RESOURCE:MEMORY"] * 2


def test_a_static_port_and_its_return(plane, agent):
    """api-81, api-83"""
    other = FakeAgent(plane)
    other.connect()
    definition = plane.define("port", containers=[{"name": "web", "image": "i", "memory": 10, "cpu": 100,
                                                   "portMappings": [{"containerPort": 80, "hostPort": 80}]}])
    answer = plane.run(definition, count=3)
    assert len(answer["tasks"]) == 2 and reasons(answer) == ["RESOURCE:PORTS"] * 2
    task = next(task["taskArn"] for task in answer["tasks"] if task["containerInstanceArn"] == agent.arn)

    def remaining(name, member="integerValue"):
        return next(resource[member] for resource in agent.instance()["remainingResources"]
                    if resource["name"] == name)

    assert "80" in remaining("PORTS", "stringSetValue")
    assert remaining("CPU") == 2048 - 100 and remaining("MEMORY") == 3900 - 10
    plane.ecs.stop_task(task=task)
    assert "80" in remaining("PORTS", "stringSetValue")
    agent.submit(task, "STOPPED")
    assert "80" not in remaining("PORTS", "stringSetValue")
    assert remaining("CPU") == 2048 and remaining("MEMORY") == 3900


def test_dynamic_ports_take_nothing_until_reported(plane, agent):
    """api-82"""
    definition = plane.define("dynamic", containers=[{"name": "web", "image": "i", "memory": 10, "cpu": 1,
                                                      "portMappings": [{"containerPort": 80}]}])

    def ports():
        return set(next(resource["stringSetValue"] for resource in agent.instance()["remainingResources"]
                        if resource["name"] == "PORTS"))

    before = ports()
    tasks = [task["taskArn"] for _ in range(2) for task in plane.run(definition, count=10)["tasks"]]
    assert len(tasks) == 20 and ports() == before
    agent.submit(tasks[0], "RUNNING", [("web", "RUNNING", {"networkBindings": [
        {"bindIP": "0.0.0.0", "containerPort": 80, "hostPort": 32768, "protocol": "tcp"}]})])
    assert ports() == before | {"32768"}
    assert plane.task(tasks[0])["containers"][0]["networkBindings"] == [
        {"bindIP": "0.0.0.0", "containerPort": 80, "hostPort": 32768, "protocol": "tcp"}]


def test_agents_that_are_away_take_nothing(plane, agent):
    """api-84"""
    other = FakeAgent(plane)
    agent.acs.drop()
    wait_for("the agent to be away", lambda: not agent.is_connected())
    answer = plane.run(plane.define())
    assert answer["tasks"] == [] and reasons(answer) == ["AGENT"] * 2
    assert {failure["arn"] for failure in answer["failures"]} == {agent.arn, other.arn}


def test_attributes_and_constraints(plane, agent):
    """api-85, api-86, api-87"""
    gelf = plane.define("gelf", containers=[{"name": "a", "image": "i", "memory": 10,
                                             "logConfiguration": {"logDriver": "gelf"}}])
    assert reasons(plane.run(gelf)) == ["ATTRIBUTE"]
    definition = plane.define()
    answer = plane.run(definition, placementConstraints=[{"type": "memberOf", "expression": "attribute:x == y"}])
    assert reasons(answer) == ["MemberOf placement constraint unsatisfied."]
    agent.ecs.put_attributes(attributes=[{"name": "x", "value": "y", "targetId": agent.arn}])
    answer = plane.run(definition, placementConstraints=[{"type": "memberOf", "expression": "attribute:x == y"}])
    assert len(answer["tasks"]) == 1
    FakeAgent(plane).connect()
    answer = plane.run(definition, count=3, group="mine", placementConstraints=[{"type": "distinctInstance"}])
    assert len(answer["tasks"]) == 2
    assert len({task["containerInstanceArn"] for task in answer["tasks"]}) == 2
    assert reasons(answer) == ["DistinctInstance placement constraint unsatisfied."] * 2


@pytest.mark.parametrize("members, code", [
    (dict(placementConstraints=[{"type": "memberOf", "expression": "x =="}]), "InvalidParameterException"),
    (dict(placementConstraints=[{"type": "distinctInstance", "expression": "x"}]), "InvalidParameterException"),
    (dict(placementConstraints=[{"type": "memberOf"}] * 11), "InvalidParameterException"),
    (dict(placementStrategy=[{"type": "random", "field": "cpu"}]), "InvalidParameterException"),  # api-113
    (dict(placementStrategy=[{"type": "binpack", "field": "disk"}]), "InvalidParameterException"),
    (dict(placementStrategy=[{"type": "random"}] * 6), "InvalidParameterException"),
    (dict(launchType="MOON"), "InvalidParameterException"),
    (dict(launchType="EC2", capacityProviderStrategy=[{"capacityProvider": "x"}]), "InvalidParameterException"),
    (dict(group="service:web"), "InvalidParameterException"),
    (dict(startedBy="a b"), "InvalidParameterException"),
    (dict(startedBy="x" * 129), "InvalidParameterException"),
    (dict(cluster="nowhere"), "ClusterNotFoundException"),
    (dict(enableExecuteCommand=True), "InvalidParameterException"),
    (dict(tags=[{"key": "aws:x", "value": "y"}]), "InvalidParameterException"),
    (dict(propagateTags="SOME"), "InvalidParameterException"),
    (dict(overrides={"cpu": "lots"}), "InvalidParameterException"),
    (dict(overrides={"containerOverrides": [{"name": "web", "environment": [{"name": "A", "value": "x" * 8192}]}]}),
     "InvalidParameterException"),
])
def test_what_run_task_refuses(plane, agent, members, code):
    assert error_of(plane.ecs.run_task, taskDefinition=plane.define(), **members)[0] == code
    assert plane.ecs.list_tasks()["taskArns"] == []


def test_network_configuration_belongs_to_awsvpc(plane, agent):
    """api-88, api-89"""
    vpc, bridge = plane.define("vpc", mode="awsvpc", containers=VPC), plane.define("bridge")
    assert error_of(plane.ecs.run_task, taskDefinition=vpc) == (
        "InvalidParameterException",
        "Network Configuration must be provided when networkMode 'awsvpc' is specified.")
    network = {"awsvpcConfiguration": {"subnets": [SUBNET_ID]}}
    assert error_of(plane.ecs.run_task, taskDefinition=bridge, networkConfiguration=network) == (
        "InvalidParameterException",
        "Network Configuration is not valid for the given networkMode of this task definition.")
    code, message = error_of(plane.ecs.run_task, taskDefinition=vpc, networkConfiguration={
        "awsvpcConfiguration": {"subnets": ["subnet-unknown"]}})
    assert code == "InvalidParameterException" and "'subnet-unknown' does not exist" in message
    code, _ = error_of(plane.ecs.run_task, taskDefinition=vpc, networkConfiguration={
        "awsvpcConfiguration": {"subnets": [SUBNET_ID], "assignPublicIp": "ENABLED"}})
    assert code == "InvalidParameterException"


def details(task):
    return {detail["name"]: detail["value"] for detail in task["attachments"][0]["details"]}


def test_the_interface_of_an_awsvpc_task(plane, agent):
    """api-90: PROVISIONING and PRECREATED in the answer, then an interface that the agent confirms."""
    task = plane.run(plane.define("vpc", mode="awsvpc", containers=VPC), subnet=SUBNET_ID)["tasks"][0]
    assert task["lastStatus"] == "PROVISIONING" and task["version"] == 1
    attachment = task["attachments"][0]
    assert attachment["type"] == "ElasticNetworkInterface" and attachment["status"] == "PRECREATED"
    assert attachment["details"] == [{"name": "subnetId", "value": SUBNET_ID}]
    assert task["containers"][0]["networkInterfaces"] == []

    arn = task["taskArn"]
    attach = agent.acs.wait("AttachTaskNetworkInterfacesMessage", task=arn)
    agent.submit(arn, attachments=[{"attachmentArn": attach["elasticNetworkInterfaces"][0]["attachmentArn"],
                                    "status": "ATTACHED"}])
    task = plane.task(arn)
    assert task["lastStatus"] == "PENDING" and task["attachments"][0]["status"] == "ATTACHED"
    assert [detail["name"] for detail in task["attachments"][0]["details"]] == [
        "subnetId", "networkInterfaceId", "macAddress", "privateDnsName", "privateIPv4Address"]
    eni = attach["elasticNetworkInterfaces"][0]
    assert details(task)["networkInterfaceId"] == eni["ec2Id"] and details(task)["macAddress"] == eni["macAddress"]
    assert details(task)["privateIPv4Address"] == eni["ipv4Addresses"][0]["privateAddress"]
    assert task["containers"][0]["networkInterfaces"] == [
        {"attachmentId": attachment["id"], "privateIpv4Address": details(task)["privateIPv4Address"]}]
    agent.submit(arn, "STOPPED")
    assert plane.task(arn)["attachments"][0]["status"] == "DELETED"


def test_a_subnet_of_another_zone(make_plane):
    """api-91"""
    plane = make_plane(arguments=["--subnet", "10.78.0.0/28,id=subnet-far,zone=us-west-2q"])
    agent = FakeAgent(plane)
    agent.connect()
    answer = plane.run(plane.define("vpc", mode="awsvpc", containers=VPC), subnet="subnet-far")
    assert answer["tasks"] == [] and reasons(answer) == ["LOCATION"]


def test_a_subnet_that_is_exhausted(plane, agent):
    """Eleven addresses: the twelfth task gets a reason and a sentence, and a place once another has ended."""
    definition = plane.define("vpc", mode="awsvpc", containers=VPC)
    tasks = plane.run(definition, count=10, subnet=SUBNET_ID)["tasks"]
    answer = plane.run(definition, count=2, subnet=SUBNET_ID)
    assert len(answer["tasks"]) == 1 and reasons(answer) == ["RESOURCE:ENI"]
    assert "No address is left in subnet subnet-berth (10.77.0.0/28)" in answer["failures"][0]["detail"]
    addresses = {details(plane.task(task["taskArn"]))["privateIPv4Address"] for task in tasks + answer["tasks"]}
    assert addresses == {f"10.77.0.{host}" for host in range(4, 15)}
    agent.submit(tasks[0]["taskArn"], "STOPPED")
    assert len(plane.run(definition, subnet=SUBNET_ID)["tasks"]) == 1


def test_definitions_that_cannot_run(plane, agent):
    """api-92, api-93"""
    definition = plane.define()
    assert error_of(plane.ecs.run_task, taskDefinition=definition, overrides={
        "containerOverrides": [{"name": "x"}]}) == (
        "InvalidParameterException", "Override for container named x is not a container in the TaskDefinition.")
    plane.ecs.deregister_task_definition(taskDefinition=definition)
    assert error_of(plane.ecs.run_task, taskDefinition=definition) == (
        "InvalidParameterException", "TaskDefinition is inactive")
    assert error_of(plane.ecs.run_task, taskDefinition="unknown") == (
        "ClientException", "TaskDefinition not found.")
    assert error_of(plane.ecs.run_task, taskDefinition=" ")[1] == "Task Definition can not be blank."


def raw_error(plane, operation, **members):
    """For members that Debian's SDK does not know."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        plane.call(operation, **members)
    return json.loads(caught.value.read())


def test_a_client_token_counts_once(make_plane):
    """api-94; also after a restart of a control plane with a file."""
    plane = make_plane(state="file")
    agent = FakeAgent(plane)
    agent.connect()
    definition = plane.define()
    first = plane.call("RunTask", taskDefinition=definition, count=2, clientToken="t1")
    arns = sorted(task["taskArn"] for task in first["tasks"])
    for _ in range(2):
        again = plane.call("RunTask", taskDefinition=definition, count=2, clientToken="t1")
        assert sorted(task["taskArn"] for task in again["tasks"]) == arns
        error = raw_error(plane, "RunTask", taskDefinition=definition, count=1, clientToken="t1")
        assert error["__type"] == "ConflictException" and sorted(error["resourceIds"]) == arns
        assert len(plane.ecs.list_tasks()["taskArns"]) == 2
        plane.restart()
    for bad in ("x" * 65, "a b", ""):
        error = raw_error(plane, "RunTask", taskDefinition=definition, clientToken=bad)
        assert error["__type"] == "InvalidParameterException"


def test_start_task(plane, agent):
    """api-95, api-96"""
    definition = plane.define()
    bogus = agent.arn.rsplit("/", 1)[0] + "/" + "0" * 32
    answer = plane.ecs.start_task(taskDefinition=definition, containerInstances=[agent.arn, bogus])
    assert [task["containerInstanceArn"] for task in answer["tasks"]] == [agent.arn]
    assert answer["failures"] == [{"arn": bogus, "reason": "MISSING"}]
    assert error_of(plane.ecs.start_task, taskDefinition=definition, containerInstances=[]) == (
        "ClientException", "Container Instances cannot be empty.")
    answer = plane.ecs.start_task(taskDefinition=definition, containerInstances=[agent.arn.split("/")[-1]])
    assert len(answer["tasks"]) == 1
    gone = FakeAgent(plane)
    plane.ecs.deregister_container_instance(containerInstance=gone.arn)
    answer = plane.ecs.start_task(taskDefinition=definition, containerInstances=[gone.arn])
    assert answer["failures"] == [{"arn": gone.arn, "reason": "INACTIVE"}]


def test_stop_task(plane, agent):
    """api-97, api-98, api-103"""
    arn = plane.run_one(plane.define())
    agent.acs.wait("PayloadMessage", task=arn)
    agent.submit(arn, "RUNNING", [("web", "RUNNING", {})])
    task = plane.ecs.stop_task(task=arn)["task"]
    assert task["desiredStatus"] == "STOPPED" and task["stopCode"] == "UserInitiated"
    assert task["stoppedReason"] == "Task stopped by user" and "stoppingAt" in task
    payload = agent.acs.wait("PayloadMessage", 2, task=arn)
    assert payload["tasks"][0]["desiredStatus"] == "STOPPED"
    assert plane.wait_task(arn, lambda task: task["lastStatus"] == "STOPPING")
    plane.ecs.stop_task(task=arn, reason="again")
    agent.submit(arn, "STOPPED", [("web", "STOPPED", {"exitCode": 143})])
    task = plane.ecs.stop_task(task=arn, reason="once more")["task"]
    assert task["lastStatus"] == "STOPPED" and task["stoppedReason"] == "Task stopped by user"
    assert task["containers"][0]["exitCode"] == 143
    assert error_of(plane.ecs.stop_task, task="0" * 32) == (
        "InvalidParameterException", "The referenced task was not found.")
    assert error_of(plane.ecs.stop_task, task=arn, reason="x" * 256)[0] == "InvalidParameterException"


def test_describe_tasks_and_what_is_no_task(plane, agent):
    """api-99, api-100"""
    arn = plane.run_one(plane.define())
    missing = arn[:-32] + "0" * 32
    answer = plane.ecs.describe_tasks(tasks=[arn, arn.split("/")[-1], "0" * 32])
    assert [task["taskArn"] for task in answer["tasks"]] == [arn, arn]
    assert answer["failures"] == [{"arn": missing, "reason": "MISSING"}]
    elsewhere = arn.replace("task/default/", "task/other/")
    assert plane.ecs.describe_tasks(tasks=[elsewhere])["failures"] == [{"arn": elsewhere, "reason": "MISSING"}]
    assert error_of(plane.ecs.describe_tasks, tasks=["None"]) == (
        "InvalidParameterException", "taskId length should be one of [32,36]")
    assert error_of(plane.ecs.describe_tasks, tasks=[]) == ("InvalidParameterException", "Tasks cannot be empty.")
    assert error_of(plane.ecs.describe_tasks, tasks=[arn], include=["DREAMS"])[0] == "InvalidParameterException"


def test_the_life_of_a_task_that_exits(plane, agent):
    """api-101, api-108, acs-S1"""
    arn = plane.run_one(plane.define())
    # The acknowledgement is a change that can be seen, too.
    versions = [plane.wait_task(arn, lambda task: task.get("connectivity") == "CONNECTED")["version"]]
    assert versions == [2]
    agent.submit(arn, "PENDING", [("web", "PENDING", {"imageDigest": "sha256:abc"})])
    versions.append(plane.task(arn)["version"])
    agent.submit(arn, "RUNNING", [("web", "RUNNING", {"runtimeId": "r1"})], pullStartedAt=time.time(),
                 pullStoppedAt=time.time())
    task = plane.task(arn)
    versions.append(task["version"])
    assert task["lastStatus"] == "RUNNING" and task["connectivity"] == "CONNECTED" and "pullStoppedAt" in task
    assert task["containers"][0]["runtimeId"] == "r1" and task["containers"][0]["imageDigest"] == "sha256:abc"
    plane.boto().get_waiter("tasks_running").wait(tasks=[arn])
    agent.submit(arn, "STOPPED", [("web", "STOPPED", {"exitCode": 0})], executionStoppedAt=time.time())
    task = plane.task(arn)
    versions.append(task["version"])
    assert versions == [2, 3, 4, 5], "one more for each change"
    assert task["lastStatus"] == task["desiredStatus"] == "STOPPED"
    assert task["stopCode"] == "EssentialContainerExited"
    assert task["stoppedReason"] == "Essential container in task exited"
    assert task["containers"][0]["exitCode"] == 0 and task["containers"][0]["lastStatus"] == "STOPPED"
    assert task["startedAt"] < task["stoppingAt"] <= task["executionStoppedAt"] <= task["stoppedAt"]
    plane.boto().get_waiter("tasks_stopped").wait(tasks=[arn])
    # acs-6.2: an identical call after a lost answer is taken, and changes nothing.
    agent.submit(arn, "STOPPED", [("web", "STOPPED", {"exitCode": 9, "reason": "late", "runtimeId": "r2"})])
    assert plane.task(arn) == task


def test_a_task_whose_image_cannot_be_pulled(plane, agent):
    """api-102"""
    arn = plane.run_one(plane.define())
    agent.submit(arn, "STOPPED", [("web", "STOPPED", {"reason": "CannotPullContainerError: no such image"})])
    task = plane.task(arn)
    assert task["stopCode"] == "TaskFailedToStart" and "startedAt" not in task
    assert task["containers"][0]["reason"] == "CannotPullContainerError: no such image"
    assert "exitCode" not in task["containers"][0]


def test_list_tasks_filters(plane, agent):
    """api-104, api-105, api-106"""
    other = FakeAgent(plane, attributes=[("which", "other")])
    other.connect()
    a, b = plane.define("a"), plane.define("b")
    here = dict(placementConstraints=[{"type": "memberOf", "expression": "attribute:which !exists"}])
    there = dict(placementConstraints=[{"type": "memberOf", "expression": "attribute:which == other"}])
    one = plane.run_one(a, startedBy="me", **here)
    two = plane.run_one(b, **there)
    done = plane.run_one(b, startedBy="me", **here)
    agent.submit(done, "STOPPED")

    def listed(**members):
        return sorted(plane.ecs.list_tasks(**members)["taskArns"])

    assert listed() == listed(desiredStatus="RUNNING") == sorted([one, two])
    assert listed(desiredStatus="STOPPED") == [done]
    assert listed(desiredStatus="PENDING") == []
    assert listed(family="a") == [one] and listed(family="c") == []
    assert listed(containerInstance=other.arn) == [two]
    assert listed(containerInstance=other.arn.split("/")[-1]) == [two]
    assert listed(containerInstance=agent.arn, family="b", desiredStatus="STOPPED") == [done]
    assert listed(startedBy="me") == [one]
    assert listed(startedBy="me", desiredStatus="STOPPED") == [done]
    assert listed(launchType="EXTERNAL") == []
    assert error_of(plane.ecs.list_tasks, startedBy="me", family="a")[0] == "InvalidParameterException"
    assert error_of(plane.ecs.list_tasks, serviceName="none") == ("ServiceNotFoundException", "Service not found.")
    assert error_of(plane.ecs.list_tasks, desiredStatus="DONE")[0] == "InvalidParameterException"
    assert error_of(plane.ecs.list_tasks, cluster="none")[0] == "ClusterNotFoundException"


def test_list_tasks_pages(plane, agent):
    definition = plane.define("tiny", containers=[{"name": "a", "image": "i", "memory": 6}])
    arns = sorted(task["taskArn"] for _ in range(3) for task in plane.run(definition, count=5)["tasks"])
    pages = list(plane.ecs.get_paginator("list_tasks").paginate(PaginationConfig={"PageSize": 4}))
    assert [len(page["taskArns"]) for page in pages] == [4, 4, 4, 3]
    assert [arn for page in pages for arn in page["taskArns"]] == arns
    token = pages[0]["nextToken"]
    assert error_of(plane.ecs.list_tasks, nextToken=token, family="tiny", maxResults=4)[1] == "Invalid token."
    # What ends between two pages is not listed, and nothing is skipped for it.
    agent.submit(arns[3], "STOPPED")
    agent.submit(arns[5], "STOPPED")
    rest = plane.ecs.list_tasks(nextToken=token, maxResults=100)["taskArns"]
    assert rest == [arn for arn in arns[4:] if arn != arns[5]]


def test_tags_of_tasks(plane, agent):
    definition = plane.define("tagged", tags=[{"key": "from", "value": "definition"}, {"key": "x", "value": "1"}])
    task = plane.run(definition, propagateTags="TASK_DEFINITION", enableECSManagedTags=True,
                     tags=[{"key": "from", "value": "request"}])["tasks"][0]
    expected = {"from": "request", "x": "1", "aws:ecs:clusterName": "default"}
    assert {tag["key"]: tag["value"] for tag in task["tags"]} == expected
    arn = task["taskArn"]
    assert plane.task(arn)["tags"] == []
    assert {tag["key"]: tag["value"] for tag in plane.task(arn, include=["TAGS"])["tags"]} == expected
    plane.ecs.stop_task(task=arn)
    assert plane.task(arn, include=["TAGS"])["tags"] == []


def test_overrides_are_echoed_and_counted(plane, agent):
    definition = plane.define()
    overrides = {"containerOverrides": [{"name": "web", "command": ["x"], "cpu": 500, "memory": 700,
                                         "environment": [{"name": "A", "value": "1"}]}], "cpu": "1 vCPU"}
    task = plane.run(definition, overrides=overrides)["tasks"][0]
    assert task["overrides"]["containerOverrides"] == overrides["containerOverrides"]
    assert task["cpu"] == "1024" and task["memory"] == "700" and task["containers"][0]["cpu"] == "500"
    payload = agent.acs.wait("PayloadMessage", task=task["taskArn"])["tasks"][0]
    assert payload["containers"][0]["overrides"] == '{"command":["x"]}'
    assert payload["containers"][0]["environment"] == {"A": "1"}
    assert payload["cpu"] == 1.0


def age(plane, arn, minutes):
    """Makes all times of a stored task so much older; the plane is down."""
    with contextlib.closing(sqlite3.connect(plane.data)) as store:
        text, = store.execute("SELECT document FROM tasks WHERE arn = ?", (arn,)).fetchone()
        task = {name: value - minutes * 60000 if isinstance(value, int) and value > 1e12 else value
                for name, value in json.loads(text).items()}
        assert store.execute("UPDATE tasks SET document = ? WHERE arn = ?", (json.dumps(task), arn)).rowcount == 1
        store.commit()


def test_stopped_tasks_are_forgotten(make_plane):
    """api-107: after an hour, which the time scale does not shorten."""
    plane = make_plane(state="file", scale=0.01)
    agent = FakeAgent(plane)
    agent.connect()
    definition = plane.define()
    running, fresh, old, older = (plane.run_one(definition) for _ in range(4))
    for arn in (fresh, old, older):
        agent.submit(arn, "STOPPED")
    assert plane.stop() == 0
    for arn, minutes in ((running, 90), (old, 58), (older, 61)):
        age(plane, arn, minutes)
    plane.start()
    wait_for("the task to be forgotten", lambda: plane.ecs.describe_tasks(tasks=[older])["failures"] == [
        {"arn": older, "reason": "MISSING"}])
    # In the same turn of the timer the others were looked at.
    assert [task["lastStatus"] for task in plane.ecs.describe_tasks(tasks=[running, fresh, old])["tasks"]] == [
        "PENDING", "STOPPED", "STOPPED"]


def test_reports_of_nobodys_task(plane, agent):
    """acs-S5: agents give up what is answered with InvalidParameterException."""
    assert error_of(agent.ecs.submit_task_state_change, task="0" * 32, status="RUNNING") == (
        "InvalidParameterException", "The referenced task was not found.")
    arn = plane.run_one(plane.define())
    assert error_of(agent.ecs.submit_task_state_change, task=arn, status="DANCING")[0] == "InvalidParameterException"
    assert error_of(agent.ecs.submit_attachment_state_changes, attachments=[
        {"attachmentArn": "arn:none", "status": "ATTACHED"}])[0] == "InvalidParameterException"
    assert agent.ecs.submit_container_state_change(task=arn, containerName="web", status="RUNNING",
                                                   runtimeId="r")["acknowledgment"]
    assert plane.task(arn)["containers"][0]["lastStatus"] == "RUNNING"


def test_counts_of_instances_and_clusters(plane, agent):
    definition = plane.define()
    arns = [task["taskArn"] for task in plane.run(definition, count=3)["tasks"]]
    agent.submit(arns[0], "RUNNING")
    instance = agent.instance()
    assert (instance["runningTasksCount"], instance["pendingTasksCount"]) == (1, 2)
    cluster = plane.ecs.describe_clusters()["clusters"][0]
    assert (cluster["runningTasksCount"], cluster["pendingTasksCount"]) == (1, 2)
    agent.submit(arns[0], "STOPPED")
    assert agent.instance()["runningTasksCount"] == 0


def test_draining_instances_take_nothing_new(plane, agent):
    """api-143, as far as there are no services: a task that belongs to none stays."""
    arn = plane.run_one(plane.define())
    agent.submit(arn, "RUNNING")
    before = plane.task(arn)
    plane.ecs.update_container_instances_state(containerInstances=[agent.arn], status="DRAINING")
    assert error_of(plane.ecs.run_task, taskDefinition=plane.define())[1] == (
        "No Container Instances were found in your cluster.")
    assert agent.instance()["status"] == "DRAINING" and agent.instance()["runningTasksCount"] == 1
    assert plane.task(arn) == before and before["desiredStatus"] == "RUNNING"
    assert len(agent.acs.of("PayloadMessage", arn)) == 1, "its agent is not asked to stop it"
    # Back in service it takes tasks again.
    plane.ecs.update_container_instances_state(containerInstances=[agent.arn], status="ACTIVE")
    assert plane.run_one(plane.define())


def test_forced_deregistration(plane, agent):
    """api-145"""
    arn = plane.run_one(plane.define())
    agent.acs.wait("PayloadMessage", task=arn)
    assert error_of(plane.ecs.deregister_container_instance, containerInstance=agent.arn) == (
        "InvalidParameterException", "Found running tasks on the instance.")
    assert plane.task(arn)["lastStatus"] == "PENDING"
    plane.ecs.deregister_container_instance(containerInstance=agent.arn, force=True)
    task = plane.task(arn)
    assert task["lastStatus"] == "STOPPED"
    assert task["stoppedReason"] == "Container instance deregistration forced by user"


def test_a_hundred_tasks_are_placed(plane):
    """Ten calls of ten. How long it takes is printed: a call takes milliseconds, and the payloads leave with it."""
    agent = FakeAgent(plane, cpu=200000, memory=200000)
    agent.connect()
    definition = plane.define()
    plane.run(definition)  # warms the client
    start = time.monotonic()
    arns = [task["taskArn"] for _ in range(10) for task in plane.run(definition, count=10)["tasks"]]
    agent.acs.wait("PayloadMessage", 101)
    elapsed = time.monotonic() - start
    assert len(set(arns)) == 100
    print(f"100 tasks placed and delivered in {elapsed * 1000:.0f} ms")


def test_calls_at_the_same_time(plane, agent):
    """Many clients at once: what is placed never exceeds the host."""
    definition = plane.define("half", containers=[{"name": "a", "image": "i", "cpu": 1000, "memory": 10}])
    answers = []

    def run():
        client = plane.boto()
        answers.append(client.run_task(taskDefinition=definition))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(len(answer["tasks"]) for answer in answers) == 2
    assert sum(len(answer["failures"]) for answer in answers) == 6
