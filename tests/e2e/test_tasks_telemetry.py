# SPDX-License-Identifier: Apache-2.0
"""The control plane's end of TCS."""
import json
import urllib.error

import pytest

from fake_agent import *  # noqa: F401,F403  (fixtures are found by name)
from fake_agent import FakeAgent, wait_for

CHECKED = [{"name": name, "image": "i", "memory": 10, "essential": name != "side",
            "healthCheck": {"command": ["CMD", "true"]}} for name in ("a", "b", "side")]


def metadata(agent):
    return {"cluster": "default", "containerInstance": agent.arn, "fin": True, "messageId": "m"}


def health(agent, arn, **statuses):
    agent.publish("PublishHealthRequest", {
        "metadata": metadata(agent), "timestamp": 1700000020.2,
        "tasks": [{"taskArn": arn, "taskDefinitionFamily": "web", "taskDefinitionVersion": "1",
                   "containers": [{"containerName": name, "healthStatus": status, "statusSince": 1700000000.1}
                                  for name, status in statuses.items()]}]})


def metrics(agent, arns, pad=0):
    agent.publish("PublishMetricsRequest", {
        "metadata": dict(metadata(agent), idle=not arns), "timestamp": 1700000000.123,
        "taskMetrics": [{"taskArn": arn, "taskDefinitionFamily": "web", "taskDefinitionVersion": "1", "containerMetrics": [
            {"containerName": "web" + "x" * pad, "cpuStatsSet": {"max": 1.5, "min": 0.5, "sampleCount": 2, "sum": 2.0},
             "memoryStatsSet": {"max": 10, "min": 10, "sampleCount": 2, "sum": 20}}]} for arn in arns]})


def test_every_publish_is_acknowledged(plane, agent):
    """acs-T2, acs-T15, acs-6.2: metrics (also idle ones), health and instance status."""
    session = agent.connect_telemetry()
    metrics(agent, [])
    assert session.wait("AckPublishMetric")
    health(agent, "arn:aws:ecs:us-west-2:000000000000:task/default/" + "0" * 32, web="HEALTHY")
    assert session.wait("AckPublishHealth")
    agent.publish("PublishInstanceStatusRequest", {
        "metadata": {"cluster": "default", "containerInstance": agent.arn, "requestId": "r"}, "timestamp": 1700000020.2,
        "statuses": [{"type": "ContainerRuntime", "status": "OK", "lastUpdated": 1.5, "lastStatusChange": 1.5}]})
    assert session.wait("AckPublishInstanceStatus")


def test_health_of_tasks(plane, agent):
    """api-109, acs-T13"""
    agent.connect_telemetry()
    arn = plane.run_one(plane.define("checked", containers=CHECKED))
    for statuses, expected in [
            (dict(a="HEALTHY", b="UNKNOWN", side="HEALTHY"), "UNKNOWN"),
            (dict(a="HEALTHY", b="HEALTHY", side="UNHEALTHY"), "HEALTHY"),
            (dict(a="UNHEALTHY", b="HEALTHY", side="HEALTHY"), "UNHEALTHY")]:
        health(agent, arn, **statuses)
        task = plane.wait_task(arn, lambda task: {container["name"]: container.get("healthStatus")
                                                  for container in task["containers"]} == statuses, f"health {statuses}")
        assert task["healthStatus"] == expected


def test_an_agent_cannot_speak_for_another(plane, agent):
    other = FakeAgent(plane)
    other.connect_telemetry()
    arn = plane.run_one(plane.define("checked", containers=CHECKED))
    health(other, arn, a="UNHEALTHY")
    metrics(other, [arn])
    other.tcs.wait("AckPublishMetric")
    assert plane.task(arn)["healthStatus"] == "UNKNOWN"
    with pytest.raises(urllib.error.HTTPError) as caught:
        plane.metrics(arn)
    assert caught.value.code == 404


def test_the_latest_figures_can_be_seen(plane, agent):
    """GET /berth/v1/metrics: what CloudWatch would show on AWS."""
    session = agent.connect_telemetry()
    arn = plane.run_one(plane.define())
    metrics(agent, [arn])
    session.wait("AckPublishMetric")
    figures = plane.metrics(arn)
    assert figures["taskArn"] == arn and figures["receivedAt"] > 1700000000
    assert figures["containers"] == [{
        "containerName": "web", "cpuPercent": {"max": 1.5, "min": 0.5, "sampleCount": 2, "sum": 2},
        "memoryMiB": {"max": 10, "min": 10, "sampleCount": 2, "sum": 20}}]
    # acs-C23: a request over 32 KiB comes in fragments.
    body = json.dumps({"type": "PublishMetricsRequest", "message": {"metadata": dict(metadata(agent), idle=False),
                                                                    "timestamp": 1, "taskMetrics": [], "pad": "x" * 200000}})
    session.ws.send("Host: h\r\n\r\n" + body, fragment=32768)
    session.wait("AckPublishMetric", 2)


@pytest.mark.parametrize("text", [
    "", "nothing", '{"type":"PublishMetricsRequest","message":{}}', "Host: h\r\n\r\n", "Host: h\r\n\r\n{",
    "no header\r\n\r\n{}", 'Host: h\r\n\r\n{"type":"Nope","message":{}}',
    'Host: h\r\n\r\n{"type":"PublishMetricsRequest","message":{"metadata":7}}',
    'Host: h\r\n\r\n{"type":"PublishHealthRequest","message":{"tasks":[{"containers":"x"}]}}',
])
def test_what_makes_no_sense_is_refused(plane, agent, text):
    """acs-4.3: answered, and the session goes on."""
    session = agent.connect_telemetry()
    session.ws.send(text)
    assert session.wait("BadRequestException")["message"]
    metrics(agent, [])
    assert session.wait("AckPublishMetric")


def test_heartbeats_come_without_a_publish(make_plane):
    """acs-6.2: something at least every minute, here scaled; and a peer that says nothing is let go."""
    plane = make_plane(scale=0.002)  # a heartbeat each 60 ms
    agent = FakeAgent(plane)
    session = agent.connect_telemetry()
    assert session.wait("HeartbeatMessage", 3)["healthy"] is True
    assert session.ws.closed.wait(60) and session.ws.close_code == 1008


def test_a_second_telemetry_session_replaces_the_first(plane, agent):
    first = agent.connect_telemetry()
    agent.connect_telemetry()
    assert first.ws.closed.wait(60)
    metrics(agent, [])
    assert agent.tcs.wait("AckPublishMetric")
    assert not agent.acs.ws.closed.is_set()
    wait_for("ACS to be untouched", agent.is_connected)
