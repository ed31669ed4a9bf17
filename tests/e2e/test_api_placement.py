# SPDX-License-Identifier: Apache-2.0
"""Where RunTask and StartTask put tasks: what must fit, and what is refused."""
import platform

import pytest

from fake_agent import *  # noqa: F401,F403  (fixtures are found by name)
from fake_agent import FakeAgent, wait_for

ARCHITECTURE = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
PLATFORM = {"cpuArchitecture": "ARM64" if ARCHITECTURE == "arm64" else "X86_64", "operatingSystemFamily": "LINUX"}


def reasons(answer):
    return sorted(failure["reason"] for failure in answer["failures"])


def test_a_runtime_platform_goes_where_it_can_run(plane):
    """Instances of both kinds in one cluster: what the agent says of its processor counts."""
    arm = FakeAgent(plane, attributes=[("ecs.cpu-architecture", "arm64")])
    intel = FakeAgent(plane, attributes=[("ecs.cpu-architecture", "x86_64")])
    for agent in (arm, intel):
        agent.connect()
    for asked, agent, shown in (("ARM64", arm, "arm64"), ("X86_64", intel, "x86_64")):
        definition = plane.define(f"on-{shown}", runtimePlatform={"cpuArchitecture": asked,
                                                                  "operatingSystemFamily": "LINUX"})
        tasks = plane.run(definition, count=3)["tasks"]
        assert [task["containerInstanceArn"] for task in tasks] == [agent.arn] * 3
        assert tasks[0]["attributes"] == [{"name": "ecs.cpu-architecture", "value": shown}]
        answer = plane.ecs.start_task(taskDefinition=definition,
                                      containerInstances=[arm.arn if agent is intel else intel.arn])
        assert answer["tasks"] == [] and reasons(answer) == ["ATTRIBUTE"]
    windows = plane.define("windows", runtimePlatform={"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"})
    assert reasons(plane.run(windows)) == ["ATTRIBUTE"] * 2


def test_a_runtime_platform_with_the_real_agent(host):
    definition = host.define("native", [{"image": host.image, "command": ["true"]}], runtimePlatform=PLATFORM)
    instance, = host.instances()
    assert {"name": "ecs.cpu-architecture", "value": ARCHITECTURE} in instance["attributes"]
    task = host.wait_status(host.run(definition)[0], "STOPPED")
    assert task["containers"][0]["exitCode"] == 0


def test_an_instance_named_twice_takes_what_fits(plane, agent):
    """StartTask may name an instance twice: the second task does not get the port, the CPU that the first one holds."""
    port = plane.define("port", containers=[{"name": "web", "image": "i", "memory": 10, "portMappings": [
        {"containerPort": 80, "hostPort": 8080}]}])
    answer = plane.ecs.start_task(taskDefinition=port, containerInstances=[agent.arn, agent.arn])
    assert len(answer["tasks"]) == 1
    assert answer["failures"] == [{"arn": agent.arn, "reason": "RESOURCE:PORTS"}]
    half = plane.define("half", containers=[{"name": "web", "image": "i", "memory": 10, "cpu": 1024}])
    answer = plane.ecs.start_task(taskDefinition=half, containerInstances=[agent.arn] * 3)
    assert len(answer["tasks"]) == 2
    assert answer["failures"] == [{"arn": agent.arn, "reason": "RESOURCE:CPU"}]
    free = plane.define("free", containers=[{"name": "web", "image": "i", "memory": 10}])
    answer = plane.ecs.start_task(taskDefinition=free, containerInstances=[agent.arn] * 10)
    assert len(answer["tasks"]) == 10 and answer["failures"] == []
