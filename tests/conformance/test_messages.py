# SPDX-License-Identifier: Apache-2.0
"""ACS messages, as far as they need no container. Pulls never end here: a task that is
to run stays on its way."""
import signal

import pytest

import peer as peers
from messages import (ack, arn, attach, envelope, expect_ack, interface, manifest, of_task, payload, task)


def test_empty_payload(connected, peer):
    """acs-M5"""
    _, acs = connected
    payload(acs, "m1")
    expect_ack(acs, "m1")
    assert peer.called("SubmitTaskStateChange") == []


@pytest.mark.parametrize("missing", ["clusterArn", "containerInstanceArn", "messageId"])
def test_missing_envelope_member(connected, peer, missing):
    """acs-M6"""
    _, acs = connected
    for value in (None, ""):
        message = envelope("m1", seqNum=1, tasks=[task("t1", desired="STOPPED")])
        if value is None:
            del message[missing]
        else:
            message[missing] = value
        acs.say("PayloadMessage", message)
        acs.silent()
    assert peer.called("SubmitTaskStateChange") == []


def rejected(connected, peer, bad):
    """The bad task is reported with a reason, nothing is acknowledged; the reason."""
    _, acs = connected
    payload(acs, "m1", bad)
    body = peer.wait_call("SubmitTaskStateChange")
    assert body["status"] == "STOPPED" and body["task"] == bad["arn"] and not body.get("containers")
    assert body["reason"].startswith("UnrecogniedTaskError: Error loading task - ")
    acs.silent()
    return body["reason"]


def test_one_bad_task_of_two(connected, peer):
    """acs-M7, but for the running of the good one"""
    _, acs = connected
    payload(acs, "m1", task("good"), task("bad", desired="WHAT"))
    body = peer.wait_call("SubmitTaskStateChange", match=of_task("bad"))
    assert body["status"] == "STOPPED"
    assert body["reason"].startswith("UnrecogniedTaskError: Error loading task - ")
    acs.silent()
    payload(acs, "m2", task("good"))
    expect_ack(acs, "m2")
    # The good one is there, once.
    manifest(acs, "m3", 10)
    messages = {message["type"]: message["message"] for message in (acs.next(), acs.next())}
    assert [entry["taskArn"] for entry in messages["TaskStopVerificationMessage"]["stopCandidates"]] == [arn("good")]


@pytest.mark.parametrize("overrides", ["", '{"cpu":1}', "[]", '{"command":"x"}'])
def test_bad_overrides(connected, peer, overrides):
    """acs-M8"""
    rejected(connected, peer, task("t1", container={"overrides": overrides}))


@pytest.mark.parametrize("members", [
    {"volumes": [{"name": "v"}]},                       # acs-M10
    {"volumes": [{"name": "v", "type": "ebs"}]},        # acs-M11
    {"volumes": [{"host": {}}]},
    {"container": {"cpu": -1}},
    {"container": {"portMappings": [{"containerPort": 70000}]}},
    {"container": {"portMappings": [{"containerPort": 80, "protocol": "icmp"}]}},
    {"container": {"name": 5}},
    {"containers": "x"},
])
def test_bad_tasks(connected, peer, members):
    """acs-M10, acs-M11, and their like"""
    rejected(connected, peer, task("t1", **members))


def test_credentials_without_id(connected, peer):
    """acs-M19"""
    assert rejected(connected, peer, task("t1", roleCredentials={})).endswith("CredentialsId is empty")


def test_entries_without_arn_block_the_ack(connected, peer):
    """An empty ARN and a null entry are only logged"""
    agent, acs = connected
    payload(acs, "m1", None)
    acs.silent()
    payload(acs, "m2", {**task("t1"), "arn": ""})
    acs.silent()
    assert agent.is_running() and peer.called("SubmitTaskStateChange") == []


def test_stop_unknown_task(connected, peer):
    """acs-M14"""
    _, acs = connected
    payload(acs, "m1", task("t1", desired="STOPPED"))
    expect_ack(acs, "m1")
    body = peer.wait_call("SubmitTaskStateChange", match=of_task("t1", "STOPPED"))
    assert [container["status"] for container in body["containers"]] == ["STOPPED"]
    assert "exitCode" not in body["containers"][0]


def test_no_unstop(connected, peer):
    """acs-M15"""
    _, acs = connected
    payload(acs, "m1", task("t1", desired="STOPPED"))
    expect_ack(acs, "m1")
    peer.wait_call("SubmitTaskStateChange", match=of_task("t1", "STOPPED"))
    payload(acs, "m2", task("t1"))
    expect_ack(acs, "m2")
    manifest(acs, "m3", 10)
    expect_ack(acs, "m3")
    acs.silent()


def test_duplicate_payload(connected, peer):
    """acs-M16 for the acks: each copy is acknowledged, one task is there"""
    _, acs = connected
    for message_id in ("m1", "m1", "m2"):
        payload(acs, message_id, task("t1"))
        expect_ack(acs, message_id)
    manifest(acs, "m3", 10)
    messages = {message["type"]: message["message"] for message in (acs.next(), acs.next())}
    assert len(messages["TaskStopVerificationMessage"]["stopCandidates"]) == 1


def test_credentials_in_payload(connected):
    """acs-M18"""
    _, acs = connected
    payload(acs, "m1", task("t1", roleCredentials={"credentialsId": "r", "expiration": "e1"},
                            executionRoleCredentials={"credentialsId": "x", "expiration": "e2"}))
    got = [acs.next() for _ in range(3)]
    assert {"type": "AckRequest", "message": ack("m1")} in got
    for credentials_id, expiration in (("r", "e1"), ("x", "e2")):
        assert {"type": "IAMRoleCredentialsAckRequest",
                "message": {"messageId": "m1", "credentialsId": credentials_id, "expiration": expiration}} in got


def refresh(acs, name="t1", role="TaskApplication"):
    acs.say("IAMRoleCredentialsMessage",
            {"messageId": "c1", "taskArn": arn(name), "roleType": role,
             "roleCredentials": {"credentialsId": "r", "accessKeyId": "AK", "secretAccessKey": "s3cr3t-of-the-task",
                                 "sessionToken": "t0ken-of-the-task", "expiration": "2026-11-20T10:27:26+00:00"}})


def test_refreshed_credentials(connected):
    """acs-M20 for the ack, acs-M21; secrets are neither logged nor kept on disk"""
    agent, acs = connected
    refresh(acs)
    acs.silent()
    payload(acs, "m1", task("t1", roleCredentials={"credentialsId": "r", "secretAccessKey": "s3cr3t-of-the-task"}))
    acs.next(), acs.next()
    refresh(acs)
    assert acs.expect("IAMRoleCredentialsAckRequest") == {"messageId": "c1", "credentialsId": "r",
                                                          "expiration": "2026-11-20T10:27:26+00:00"}
    refresh(acs, role="X")
    acs.silent()
    assert "s3cr3t-of-the-task" not in agent.text() and "t0ken-of-the-task" not in agent.text()
    for name in ("agent.db", "agent.db-wal"):
        with open(f"{agent.settings['ECS_DATADIR']}/{name}", "rb") as database:
            assert b"s3cr3t-of-the-task" not in database.read()


def test_attached_interface(connected, peer):
    """acs-M24 with the driver that makes the interface itself: acks at once, one call"""
    _, acs = connected
    for message_id in ("m1", "m2"):
        attach(acs, message_id, interface())
        expect_ack(acs, message_id)
    body = peer.wait_call("SubmitTaskStateChange")
    assert body == {"cluster": "demo", "task": arn("t1"),
                    "attachments": [{"attachmentArn": interface()["attachmentArn"], "status": "ATTACHED"}]}
    acs.silent()
    assert len(peer.called("SubmitTaskStateChange")) == 1


def test_interface_that_never_appears(agent, peer):
    """acs-M25 with the driver of EC2: acknowledged, never reported"""
    agent.start(BERTH_ENI_DRIVER="eni")
    acs = peer.acs.next()
    attach(acs, "m1", interface(), wait_ms=200)
    expect_ack(acs, "m1")
    acs.silent(0.5)
    assert peer.called("SubmitTaskStateChange") == []


@pytest.mark.parametrize("enis, wait_ms", [
    ([interface(macAddress=None)], 60000),
    ([interface(subnetGatewayIpv4Address="10.0.0.1")], 60000),
    ([interface()], 0),
    ([], 60000),
    ([interface(interfaceAssociationProtocol="vlan")], 60000),
    ([interface(interfaceAssociationProtocol="tunnel")], 60000),
])
def test_invalid_interfaces(connected, peer, enis, wait_ms):
    """acs-M26"""
    _, acs = connected
    attach(acs, "m1", *enis, wait_ms=wait_ms)
    acs.silent(0.05)
    assert peer.called("SubmitTaskStateChange") == []


def confirm(acs, kind, properties, **members):
    acs.say("ConfirmAttachmentMessage",
            envelope("m1", taskArn=arn("t1"),
                     attachment={"attachmentArn": f"arn:aws:ecs:{peers.REGION}:{peers.ACCOUNT}:attachment/1",
                                 "attachmentType": kind,
                                 "attachmentProperties": [{"name": name, "value": value}
                                                          for name, value in properties.items()]}, **members))


EBS = {"volumeId": "vol-1", "volumeSizeGib": "1", "deviceName": "/dev/xvdb", "sourceVolumeHostPath": "/mnt/v",
       "volumeName": "v"}


@pytest.mark.parametrize("properties, members", [
    ({**EBS, "deviceName": ""}, {}),
    ({**EBS, "fileSystem": "btrfs"}, {}),
    (EBS, {"clusterArn": "demo"}),
])
def test_invalid_confirmations(connected, properties, members):
    """acs-M29"""
    _, acs = connected
    confirm(acs, "amazonebs", properties, **members)
    acs.silent(0.05)


def test_confirmation_of_another_resource(connected, peer):
    """acs-M30"""
    _, acs = connected
    confirm(acs, "other", {"resourceType": "EphemeralStorage", "volumeID": "v", "deviceName": "d",
                           "volumeSizeInGiB": "1", "requestedSizeInGiB": "1", "resourceID": "r"})
    expect_ack(acs, "m1")
    acs.silent()
    assert peer.called("SubmitTaskStateChange") == [] and peer.called("SubmitAttachmentStateChanges") == []


def two_tasks(acs):
    payload(acs, "p1", task("t1"), task("t2"))
    expect_ack(acs, "p1")


def candidates(acs, message_id, timeline, *running, **other):
    """Sends a manifest that does not list all; the tasks that the agent asks about."""
    manifest(acs, message_id, timeline, *running, **other)
    got = {message["type"]: message["message"] for message in (acs.next(), acs.next())}
    assert got["AckRequest"] == ack(message_id)
    asked = got["TaskStopVerificationMessage"]
    assert asked["messageId"] == message_id
    assert all(entry["desiredStatus"] == "STOPPED" and entry["taskClusterArn"] == peers.CLUSTER
               for entry in asked["stopCandidates"])
    return sorted(entry["taskArn"] for entry in asked["stopCandidates"])


def test_manifest_that_matches(connected):
    """acs-M31"""
    _, acs = connected
    two_tasks(acs)
    manifest(acs, "m1", 10, "t1", "t2")
    expect_ack(acs, "m1")
    acs.silent()


def test_manifest_and_stop_verification(connected, peer):
    """acs-M32, acs-M36, acs-M37"""
    _, acs = connected
    two_tasks(acs)
    assert candidates(acs, "m1", 10, t2="STOPPED") == [arn("t1"), arn("t2")]
    for message_id in ("other", ""):
        acs.say("TaskStopVerificationAck", {"messageId": message_id, "stopTasks": [{"taskArn": arn("t1")}]})
        acs.silent()
    acs.say("TaskStopVerificationAck", {"messageId": "m1", "stopTasks": [
        {"taskArn": arn("t1"), "taskClusterArn": peers.CLUSTER, "desiredStatus": "STOPPED"}]})
    peer.wait_call("SubmitTaskStateChange", match=of_task("t1", "STOPPED"))
    # A second copy is ignored, whatever it lists.
    acs.say("TaskStopVerificationAck", {"messageId": "m1", "stopTasks": [{"taskArn": arn("t2")}]})
    acs.silent()
    assert candidates(acs, "m2", 11) == [arn("t2")]
    assert not [call for call in peer.called("SubmitTaskStateChange") if of_task("t2", "STOPPED")(call[2])]


def test_stale_manifest(connected):
    """acs-M33"""
    _, acs = connected
    manifest(acs, "m1", 10)
    expect_ack(acs, "m1")
    for timeline in (10, 9):
        manifest(acs, "m2", timeline)
        acs.silent()


def test_payload_raises_the_sequence_number(connected):
    """acs-M34"""
    _, acs = connected
    payload(acs, "p1", seq=50)
    expect_ack(acs, "p1")
    manifest(acs, "m1", 50)
    acs.silent()
    manifest(acs, "m2", 51)
    expect_ack(acs, "m2")


def test_timeline_survives_a_restart(connected, peer):
    """acs-M35"""
    agent, acs = connected
    manifest(acs, "m1", 60)
    expect_ack(acs, "m1")
    agent.stop()
    agent.start()
    acs = peer.acs.next()
    manifest(acs, "m2", 60)
    acs.silent()
    manifest(acs, "m3", 61)
    expect_ack(acs, "m3")


def test_superseded_manifest(connected, peer):
    """acs-M38"""
    _, acs = connected
    two_tasks(acs)
    candidates(acs, "m1", 10)
    candidates(acs, "m2", 11)
    acs.say("TaskStopVerificationAck", {"messageId": "m1", "stopTasks": [{"taskArn": arn("t1")}]})
    acs.silent()
    assert peer.called("SubmitTaskStateChange") == []
    acs.say("TaskStopVerificationAck", {"messageId": "m2", "stopTasks": [{"taskArn": arn("t1")}]})
    peer.wait_call("SubmitTaskStateChange", match=of_task("t1", "STOPPED"))


def test_manifest_with_an_unknown_task(connected, peer):
    """acs-M46"""
    _, acs = connected
    manifest(acs, "m1", 10, "stranger")
    expect_ack(acs, "m1")
    acs.silent()
    assert peer.called("SubmitTaskStateChange") == []


def test_updates_are_disabled(connected):
    """acs-M39, cfg-S6"""
    _, acs = connected
    for kind in ("StageUpdateMessage", "PerformUpdateMessage"):
        acs.say(kind, envelope("u1", updateInfo={"location": "http://x", "signature": "y"}))
        assert acs.expect("NackRequest") == {**ack("u1"), "reason": "Updates are disabled"}


def test_foreign_envelope(connected):
    """acs-M44"""
    _, acs = connected
    acs.say("PayloadMessage", {"messageId": "m1", "clusterArn": "someone", "containerInstanceArn": "else", "tasks": []})
    assert acs.expect("AckRequest") == {"cluster": "someone", "containerInstance": "else", "messageId": "m1"}


def test_an_acknowledged_task_survives_a_kill(connected, peer):
    """acs-M4: killed right after the ack, the task is known after the restart without another delivery"""
    agent, acs = connected
    payload(acs, "p1", task("t1"))
    expect_ack(acs, "p1")
    agent.stop(signal.SIGKILL)
    agent.start()
    acs = peer.acs.next()
    assert acs.params["sendCredentials"] == "true"
    assert candidates(acs, "m1", 10) == [arn("t1")]
