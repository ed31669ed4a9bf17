# SPDX-License-Identifier: Apache-2.0
"""healthStatus of a container instance: what its agent publishes, shown to whoever asks for it."""
import pytest

from fake_agent import *  # noqa: F401,F403  (fixtures are found by name)
from fake_agent import FakeAgent, wait_for

HEALTH = ["CONTAINER_INSTANCE_HEALTH"]


def publish(agent, *statuses):
    agent.publish("PublishInstanceStatusRequest", {
        "metadata": {"cluster": "default", "containerInstance": agent.arn, "requestId": "r"}, "timestamp": 1700000020.2,
        "statuses": list(statuses)})


def health(call, arn):
    instance, = call("DescribeContainerInstances", containerInstances=[arn], include=HEALTH)["containerInstances"]
    return instance["healthStatus"]


def test_health_is_shown_when_asked_for(make_plane):
    """acs-T15; it outlives the telemetry session, and a restart of a control plane with a file."""
    plane = make_plane(state="file")
    agent, other = FakeAgent(plane), FakeAgent(plane)
    assert health(plane.call, agent.arn) == {"overallStatus": "INSUFFICIENT_DATA", "details": []}
    session = agent.connect_telemetry()
    publish(agent, {"type": "ContainerRuntime", "status": "INITIALIZING"})
    session.wait("AckPublishInstanceStatus")
    assert health(plane.call, agent.arn) == {
        "overallStatus": "INITIALIZING", "details": [{"type": "CONTAINER_RUNTIME", "status": "INITIALIZING"}]}
    publish(agent, {"type": "ContainerRuntime", "status": "IMPAIRED", "lastUpdated": 1700000000.5,
                    "lastStatusChange": 1600000000}, {"type": "ACCELERATED_COMPUTE", "status": "OK"})
    session.wait("AckPublishInstanceStatus", 2)
    expected = {"overallStatus": "IMPAIRED", "details": [
        {"type": "CONTAINER_RUNTIME", "status": "IMPAIRED", "lastUpdated": 1700000000.5, "lastStatusChange": 1600000000},
        {"type": "ACCELERATED_COMPUTE", "status": "OK"}]}
    assert health(plane.call, agent.arn) == expected
    session.drop()
    plane.restart()
    assert health(plane.call, agent.arn) == expected
    # The SDK reads the same.
    instance, = plane.ecs.describe_container_instances(containerInstances=[agent.arn], include=HEALTH)[
        "containerInstances"]
    assert instance["healthStatus"]["overallStatus"] == "IMPAIRED"
    assert instance["healthStatus"]["details"][0]["lastUpdated"].timestamp() == 1700000000.5
    assert health(plane.call, other.arn)["overallStatus"] == "INSUFFICIENT_DATA"


def test_health_is_not_shown_unasked(plane, agent):
    session = agent.connect_telemetry()
    publish(agent, {"type": "ContainerRuntime", "status": "OK"})
    session.wait("AckPublishInstanceStatus")
    assert "healthStatus" not in agent.instance()
    instance, = plane.ecs.describe_container_instances(containerInstances=[agent.arn], include=["TAGS"])[
        "containerInstances"]
    assert "healthStatus" not in instance


@pytest.mark.lab(scale=0.1)
def test_the_real_agent_tells_when_containerd_is_gone(lab):
    """acs-T15 with the real agent: OK, impaired while containerd is away, and OK again."""
    lab.agent(BERTH_TIME_SCALE="10").start()
    instance, = lab.instances()

    def becomes(status):
        def check():
            now = health(lab.control.call, instance["containerInstanceArn"])
            return now["overallStatus"] == status and now["details"][0]
        return wait_for(f"the host to be {status}", check, 120)

    good = becomes("OK")
    assert good["type"] == "CONTAINER_RUNTIME" and good["lastStatusChange"] <= good["lastUpdated"]
    lab.containerd.stop()
    assert becomes("IMPAIRED")["lastStatusChange"] >= good["lastStatusChange"]
    lab.containerd.start()
    becomes("OK")
