# SPDX-License-Identifier: Apache-2.0
"""The control plane's end of ACS."""
import json
import os
import time
import urllib.parse

import pytest

from fake_agent import *  # noqa: F401,F403  (fixtures are found by name)
from fake_agent import KEY, REGION, SECRET, BINARY, FakeAgent, Refused, Session, wait_for

VPC = [{"name": "web", "image": "busybox", "memory": 64}]
SUBNET_ID = "subnet-berth"
ROLES = dict(taskRoleArn="arn:aws:iam::000000000000:role/app",
             executionRoleArn="arn:aws:iam::000000000000:role/puller")


def test_a_payload_leaves_with_the_call_that_made_it(plane, agent):
    """acs-M3: envelope, sequence and the task itself."""
    arn = plane.run_one(plane.define())
    payload = agent.acs.wait("PayloadMessage")
    assert payload["clusterArn"] == "arn:aws:ecs:us-west-2:000000000000:cluster/default"
    assert payload["containerInstanceArn"] == agent.arn
    assert payload["messageId"] and payload["seqNum"] > 0
    task = payload["tasks"][0]
    assert task["arn"] == arn and task["desiredStatus"] == "RUNNING" and "overrides" not in task
    assert task["family"] == "web" and task["version"] == "1" and task["networkMode"] == "bridge"
    container = task["containers"][0]
    assert container["name"] == "web" and container["image"] == "busybox" and container["overrides"] == "{}"
    assert json.loads(container["dockerConfig"]["hostConfig"])["NetworkMode"] == "bridge"


def test_each_call_sends_a_payload_at_once(plane, agent):
    """How fast, from the call to the message, is printed: milliseconds on a machine that is not busy."""
    definition = plane.define()
    waits = []
    for number in range(1, 21):
        start = time.monotonic()
        plane.call("RunTask", taskDefinition=definition, overrides={
            "containerOverrides": [{"name": "web", "cpu": 1, "memory": 6}]})
        agent.acs.wait("PayloadMessage", number)
        index = [i for i, (kind, _) in enumerate(agent.acs.messages) if kind == "PayloadMessage"][number - 1]
        waits.append(agent.acs.times[index] - start)
    print("RunTask to payload, ms:", sorted(round(wait * 1000, 2) for wait in waits))
    assert len({message["messageId"] for message in agent.acs.of("PayloadMessage")}) == 20


def stays_quiet(session, seconds, kinds):
    """Nothing of these kinds comes for so long; what was on its way when an acknowledgement came is let pass first."""
    def settled():
        before = len(session.messages)
        time.sleep(seconds)
        return [kind for kind, _ in session.messages[before:] if kind in kinds] == []
    wait_for("silence", settled)
    assert settled()


def test_what_is_not_acknowledged_comes_again(make_plane):
    """acs-M16, acs-6.2: the same message, until it is acknowledged; then never more."""
    plane = make_plane(scale=0.01)
    agent = FakeAgent(plane)
    agent.connect(automatic=False)
    arn = plane.run_one(plane.define("vpc", mode="awsvpc", containers=VPC), subnet=SUBNET_ID)
    first = agent.acs.wait("PayloadMessage", 1, task=arn)
    third = agent.acs.wait("PayloadMessage", 3, task=arn)
    assert third["messageId"] == first["messageId"]
    assert first["seqNum"] < agent.acs.of("PayloadMessage", arn)[1]["seqNum"] < third["seqNum"]
    assert agent.acs.wait("AttachTaskNetworkInterfacesMessage", 3, task=arn)
    agent.ack(agent.acs, third)
    agent.ack(agent.acs, agent.acs.of("AttachTaskNetworkInterfacesMessage")[0])
    plane.wait_task(arn, lambda task: task.get("connectivity") == "CONNECTED")
    stays_quiet(agent.acs, 0.4, ("PayloadMessage", "AttachTaskNetworkInterfacesMessage"))  # four intervals of redelivery


def test_a_task_reported_stopped_without_an_ack_is_let_go(make_plane):
    """acs-M7, acs-3.3.8: an agent that refuses a task reports it, and acknowledges nothing."""
    plane = make_plane(scale=0.01)
    agent = FakeAgent(plane)
    agent.connect(automatic=False)
    arn = plane.run_one(plane.define())
    agent.acs.wait("PayloadMessage", 2, task=arn)
    agent.submit(arn, "STOPPED", reason="UnrecogniedTaskError: Error loading task - x")
    stays_quiet(agent.acs, 0.4, ("PayloadMessage",))
    task = plane.task(arn)
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"] == "UnrecogniedTaskError: Error loading task - x"


def test_the_attachment_goes_before_the_task(plane, agent):
    """acs-M23: an interface that a decoder of agents takes, and that stands in the task as well."""
    arn = plane.run_one(plane.define("vpc", mode="awsvpc", containers=VPC), subnet=SUBNET_ID)
    agent.acs.wait("PayloadMessage", task=arn)
    kinds = [kind for kind, _ in agent.acs.messages]
    assert kinds.index("AttachTaskNetworkInterfacesMessage") < kinds.index("PayloadMessage")
    attach = agent.acs.of("AttachTaskNetworkInterfacesMessage")[0]
    assert attach["taskArn"] == arn and attach["waitTimeoutMs"] == 300000
    eni = attach["elasticNetworkInterfaces"][0]
    assert eni["subnetGatewayIpv4Address"] == "10.77.0.1/28" and eni["domainNameServers"] == ["10.77.0.2"]
    assert eni["macAddress"] == eni["macAddress"].lower() and len(eni["macAddress"]) == 17
    assert agent.acs.of("PayloadMessage")[0]["tasks"][0]["elasticNetworkInterfaces"] == [eni]


def test_after_a_reconnect_the_agent_gets_what_it_lacks(plane):
    """acs-M31, acs-6.2: a manifest with a fresh timeline, then the payloads that were never acknowledged."""
    agent = FakeAgent(plane)
    agent.connect(automatic=False)
    definition = plane.define()
    known, unknown = plane.run_one(definition), plane.run_one(definition)
    agent.ack(agent.acs, agent.acs.wait("PayloadMessage", task=known))
    last = agent.acs.wait("PayloadMessage", task=unknown)["seqNum"]
    plane.wait_task(known, lambda task: task.get("connectivity") == "CONNECTED")
    agent.acs.drop()
    plane.wait_task(known, lambda task: task["connectivity"] == "DISCONNECTED")
    agent.connect(automatic=False, send_credentials=False)
    manifest = agent.acs.wait("TaskManifestMessage")
    assert agent.acs.messages[0][0] == "TaskManifestMessage"
    assert manifest["timeline"] > last
    assert sorted((task["taskArn"], task["desiredStatus"]) for task in manifest["tasks"]) == sorted(
        [(known, "RUNNING"), (unknown, "RUNNING")])
    payload = agent.acs.wait("PayloadMessage")
    assert payload["tasks"][0]["arn"] == unknown and payload["seqNum"] > manifest["timeline"]
    plane.wait_task(known, lambda task: task["connectivity"] == "CONNECTED")
    assert agent.acs.of("PayloadMessage", known) == []


def test_stop_verification_names_only_what_must_end(plane, agent):
    """acs-M32, acs-M36: a task to be stopped and one long forgotten; never a task that is to run."""
    definition = plane.define()
    running, stopping = plane.run_one(definition), plane.run_one(definition)
    agent.acs.wait("PayloadMessage", 2)
    plane.ecs.stop_task(task=stopping)
    forgotten = running.rsplit("/", 1)[0] + "/" + "f" * 32
    foreign = forgotten.replace("us-west-2", "eu-west-1")
    agent.acs.drop()
    agent.connect(send_credentials=False)
    manifest = agent.acs.wait("TaskManifestMessage")
    assert {task["taskArn"]: task["desiredStatus"] for task in manifest["tasks"]} == {
        running: "RUNNING", stopping: "STOPPED"}
    candidates = [{"taskArn": arn, "taskClusterArn": manifest["clusterArn"], "desiredStatus": "STOPPED"}
                  for arn in (running, stopping, forgotten, foreign)]
    agent.acs.send("TaskStopVerificationMessage", messageId="another", stopCandidates=candidates)
    agent.acs.send("TaskStopVerificationMessage", messageId=manifest["messageId"], stopCandidates=candidates)
    ack = agent.acs.wait("TaskStopVerificationAck")
    assert ack["messageId"] == manifest["messageId"]
    assert sorted(task["taskArn"] for task in ack["stopTasks"]) == sorted([stopping, forgotten])
    assert len(agent.acs.of("TaskStopVerificationAck")) == 1


def test_the_timeline_grows_over_a_restart(make_plane):
    """acs-M35, acs-6.2: one counter for payloads and manifests; state and tasks are there again."""
    plane = make_plane(state="file")
    agent = FakeAgent(plane)
    agent.connect()
    arn = plane.run_one(plane.define(**ROLES))
    last = agent.acs.wait("PayloadMessage", task=arn)["seqNum"]
    agent.submit(arn, "RUNNING", [("web", "RUNNING", {"runtimeId": "r"})])
    plane.wait_task(arn, lambda task: task.get("connectivity") == "CONNECTED")
    before = plane.task(arn)
    plane.restart()
    assert agent.acs.ws.closed.wait(60) and agent.acs.ws.close_code == 1001
    task = plane.task(arn)
    assert task["connectivity"] == "DISCONNECTED" and task["lastStatus"] == "RUNNING"
    assert task["startedAt"] == before["startedAt"] and not agent.is_connected()
    agent.connect(send_credentials=False)
    manifest = agent.acs.wait("TaskManifestMessage")
    assert manifest["timeline"] > last
    assert [task["taskArn"] for task in manifest["tasks"]] == [arn]
    assert agent.acs.of("PayloadMessage") == []


def test_what_was_answered_survives_a_kill(make_plane):
    """A task of which the caller has heard is there after SIGKILL, and reaches its agent."""
    plane = make_plane(state="file")
    agent = FakeAgent(plane)
    agent.connect(automatic=False)
    definition = plane.define("vpc", mode="awsvpc", containers=VPC)
    arns = []
    for _ in range(5):
        arns.append(plane.run_one(definition, subnet=SUBNET_ID))
    before = {arn: plane.task(arn) for arn in arns}
    plane.daemon.kill()
    plane.start()
    for arn in arns:
        task = plane.task(arn)
        assert task["attachments"] == before[arn]["attachments"]
        assert task["containers"][0]["containerArn"] == before[arn]["containers"][0]["containerArn"]
    agent.connect()
    for arn in arns:
        payload = agent.acs.wait("PayloadMessage", task=arn)
        assert payload["tasks"][0]["desiredStatus"] == "RUNNING"
    # Their addresses are still theirs.
    other = plane.task(plane.run_one(definition, subnet=SUBNET_ID))
    taken = {detail["value"] for task in before.values() for detail in task["attachments"][0]["details"]}
    assert not taken & {detail["value"] for detail in other["attachments"][0]["details"]
                        if detail["name"] == "privateIPv4Address"}


def test_heartbeats_and_their_loss(make_plane):
    """acs-M1, acs-6.2: answered heartbeats keep a session; unanswered ones end it."""
    plane = make_plane(scale=0.02)  # a heartbeat each 600 ms; four without an answer end it
    agent = FakeAgent(plane)
    agent.connect()
    session = agent.acs
    session.wait("HeartbeatMessage", 8)
    assert not session.ws.closed.is_set()
    assert len({message["messageId"] for message in session.of("HeartbeatMessage")}) >= 8
    session.alive = False
    assert session.ws.closed.wait(60)
    assert session.ws.close_code == 1008
    wait_for("the agent to be away", lambda: not agent.is_connected())


def test_a_second_session_replaces_the_first(plane, agent):
    first = agent.acs
    agent.connect(send_credentials=False)
    assert first.ws.closed.wait(60) and first.ws.close_code == 1008
    assert agent.is_connected()
    arn = plane.run_one(plane.define())
    assert agent.acs.wait("PayloadMessage", task=arn)
    assert first.of("PayloadMessage") == []


def refusal(agent, path, **headers):
    with pytest.raises(Refused) as caught:
        Session(agent, path, headers=headers)
    return caught.value.status, json.loads(caught.value.body)


def test_who_is_refused(plane):
    """acs-C11, acs-C12: an instance that is not there (any more) is told InactiveInstanceException."""
    agent = FakeAgent(plane)
    unknown = agent.arn.rsplit("/", 1)[0] + "/" + "0" * 32
    for path in (agent.acs_path(containerInstanceArn=unknown), agent.tcs_path(containerInstance=unknown),
                 agent.acs_path(containerInstanceArn="nonsense"),
                 agent.acs_path(containerInstanceArn=agent.arn.replace("us-west-2", "us-east-1"))):
        status, body = refusal(agent, path)
        assert status == 400 and body["__type"] == "InactiveInstanceException" and body["message"]
    status, body = refusal(agent, agent.acs_path(clusterArn="other"))
    assert status == 400 and body["__type"] == "InvalidClusterException"
    status, body = refusal(agent, "/ws?seqNum=1")
    assert status == 400 and body["__type"] == "InvalidInstanceException"
    plane.ecs.deregister_container_instance(containerInstance=agent.arn)
    for path in (agent.acs_path(), agent.tcs_path()):
        status, body = refusal(agent, path)
        assert status == 400 and body["__type"] == "InactiveInstanceException"


def test_the_cluster_may_be_named_by_its_arn(plane):
    agent = FakeAgent(plane)
    session = Session(agent, agent.acs_path(clusterArn="arn:aws:ecs:us-west-2:000000000000:cluster/default"))
    assert session.wait("TaskManifestMessage")


def test_a_deregistered_instance_loses_its_sessions(plane, agent):
    agent.connect_telemetry()
    plane.ecs.deregister_container_instance(containerInstance=agent.arn, force=True)
    assert agent.acs.ws.closed.wait(60) and agent.acs.ws.close_code == 1000
    assert agent.tcs.ws.closed.wait(60) and agent.tcs.ws.close_code == 1000


def test_a_stop_before_the_agent_has_acknowledged(plane):
    """acs-M14: an agent that may know the task is asked to stop it, and has the last word."""
    agent = FakeAgent(plane)
    agent.connect(automatic=False)
    arn = plane.run_one(plane.define())
    agent.acs.wait("PayloadMessage", task=arn)
    assert plane.ecs.stop_task(task=arn)["task"]["lastStatus"] == "PENDING"
    assert agent.acs.wait("PayloadMessage", 2, task=arn)["tasks"][0]["desiredStatus"] == "STOPPED"
    agent.submit(arn, "STOPPED")
    assert plane.task(arn)["stopCode"] == "UserInitiated"


def test_role_credentials(make_plane):
    """acs-M18, acs-M20, acs-2.6: with the payload; again for sendCredentials=true; only until they are acknowledged."""
    plane = make_plane(scale=0.01)
    agent = FakeAgent(plane)
    agent.connect()
    arn = plane.run_one(plane.define(**ROLES))
    task = agent.acs.wait("PayloadMessage", task=arn)["tasks"][0]
    role, execution = task["roleCredentials"], task["executionRoleCredentials"]
    assert role["roleArn"] == ROLES["taskRoleArn"] and execution["roleArn"] == ROLES["executionRoleArn"]
    assert role["credentialsId"] != execution["credentialsId"]
    assert role["accessKeyId"].startswith("BERTHLOCAL") and role["secretAccessKey"] and role["sessionToken"]
    assert role["expiration"].endswith("Z")
    plane.wait_task(arn, lambda task: task.get("connectivity") == "CONNECTED")
    time.sleep(0.4)  # four intervals of redelivery
    assert agent.acs.of("IAMRoleCredentialsMessage") == []

    agent.acs.drop()
    agent.connect(automatic=False, send_credentials=True)
    fresh = [agent.acs.wait("IAMRoleCredentialsMessage", number) for number in (1, 2)]
    assert {message["roleType"] for message in fresh} == {"TaskApplication", "TaskExecution"}
    assert {message["roleCredentials"]["credentialsId"] for message in fresh} == {
        role["credentialsId"], execution["credentialsId"]}
    assert all(message["taskArn"] == arn for message in fresh)
    agent.acs.wait("IAMRoleCredentialsMessage", 4)  # not acknowledged: they come again
    for message in fresh:
        agent.ack_credentials(agent.acs, message["messageId"], message["roleCredentials"])
    stays_quiet(agent.acs, 0.4, ("IAMRoleCredentialsMessage",))
    assert "IAMRoleCredentialsMessage" not in plane.daemon.text() and role["secretAccessKey"] not in plane.daemon.text()


def test_acks_in_any_order(plane):
    """acs-M47"""
    agent = FakeAgent(plane)
    agent.connect(automatic=False)
    definition = plane.define(**ROLES)
    for order in range(6):
        arn = plane.run_one(definition)
        payload = agent.acs.wait("PayloadMessage", task=arn)
        task = payload["tasks"][0]
        steps = [lambda: agent.ack(agent.acs, payload),
                 lambda: agent.ack_credentials(agent.acs, payload["messageId"], task["roleCredentials"]),
                 lambda: agent.ack_credentials(agent.acs, payload["messageId"], task["executionRoleCredentials"])]
        first = steps.pop(order % 3)
        second = steps.pop(order // 3)
        for step in (first, second, steps[0]):
            step()
        plane.wait_task(arn, lambda task: task.get("connectivity") == "CONNECTED")


@pytest.mark.parametrize("text", [
    "", "{", "null", "[]", '"x"', "{}", '{"type":1,"message":{}}', '{"type":"AckRequest"}',
    '{"type":"AckRequest","message":{"messageId":5}}', '{"type":"AckRequest","message":null}',
    '{"type":"NackRequest","message":{"messageId":"x","reason":"no"}}', '{"type":"Nope","message":{}}',
    '{"type":"PayloadMessage","message":{"messageId":"a","clusterArn":"b","containerInstanceArn":"c","tasks":[]}}',
    '{"type":"TaskStopVerificationMessage","message":{"messageId":"x","stopCandidates":[null]}}',
    '{"type":"TaskStopVerificationMessage","message":{"stopCandidates":[{"taskArn":""}]}}',
    '{"type":"IAMRoleCredentialsAckRequest","message":{"messageId":"nodash","credentialsId":"x"}}',
    '{"type":"HeartbeatAckRequest","message":{}}', "[" * 100000, "\x00\x01", '{"type":"\\u0000"}',
])
def test_what_makes_no_sense_ends_nothing(plane, agent, text):
    """acs-C22, the other way round: the session goes on."""
    agent.acs.ws.send(text)
    agent.acs.ws.send_frame(BINARY, os.urandom(64).replace(b"\x00", b"x"))
    arn = plane.run_one(plane.define())
    assert agent.acs.wait("PayloadMessage", task=arn)
    assert not agent.acs.ws.closed.is_set()


def test_frames_of_all_kinds(plane, agent):
    """acs-1.9: fragments are put together, pings answered with their payload, closes with their code."""
    agent.acs.automatic = False
    arn = plane.run_one(plane.define())
    message = agent.acs.wait("PayloadMessage", task=arn)
    agent.acs.ws.send(json.dumps({"type": "AckRequest", "message": {
        "messageId": message["messageId"], "cluster": "x" * 5000, "containerInstance": "y"}}), fragment=7)
    plane.wait_task(arn, lambda task: task.get("connectivity") == "CONNECTED")
    agent.acs.ws.ping(b"are you there")
    wait_for("a pong", lambda: agent.acs.ws.pongs == [b"are you there"])
    agent.acs.ws.send_frame(8, (1000).to_bytes(2, "big") + b"ConnectionExpired: Reconnect to continue")
    assert agent.acs.ws.closed.wait(60) and agent.acs.ws.close_code == 1000
    wait_for("the agent to be away", lambda: not agent.is_connected())


def test_truncated_frames_and_endless_messages(plane, agent):
    """A peer that breaks off in a frame, and one that never ends a message, cost nothing but their session."""
    other = FakeAgent(plane)
    broken = Session(other, other.acs_path())
    broken.ws.socket.sendall(b"\x81\xfe\x10\x00\x01\x02\x03\x04abc")
    broken.drop()
    endless = Session(other, other.acs_path())
    part = b"x" * 60000
    for _ in range(40):
        endless.ws.send_frame(1 if _ == 0 else 0, part, fin=False)
    assert endless.ws.closed.wait(60)
    arn = plane.run_one(plane.define(), placementConstraints=[{"type": "memberOf", "expression":
                                                               "agentConnected == true"}])
    assert agent.acs.wait("PayloadMessage", task=arn)


def sign(plane, path, key=KEY, secret=SECRET):
    """The headers of a handshake as an agent signs it."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
    url, _, query = path.partition("?")
    parameters = urllib.parse.parse_qsl(query, keep_blank_values=True)
    canonical = "&".join(f"{name}={urllib.parse.quote(value, safe='-_.~')}" for name, value in sorted(parameters))
    request = AWSRequest("GET", f"{plane.url}{url}?{canonical}")
    SigV4Auth(Credentials(key, secret), "ecs", REGION).add_auth(request)
    return {name: request.headers[name] for name in ("Authorization", "X-Amz-Date")}


def test_signatures_of_handshakes(make_plane, tmp_path):
    """acs-C3: where keys are configured a handshake must be signed with them."""
    keys = tmp_path / "keys"
    keys.write_text(f"aws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
    keys.chmod(0o600)
    plane = make_plane(arguments=["--keys", str(keys)])
    agent = FakeAgent.__new__(FakeAgent)
    agent.plane, agent.cluster, agent.ecs, agent.acs, agent.tcs = plane, "default", plane.ecs, None, None
    agent.arn = plane.ecs.register_container_instance(
        cluster="default", totalResources=[{"name": "CPU", "type": "INTEGER", "integerValue": 1024}])[
        "containerInstance"]["containerInstanceArn"]
    path = agent.acs_path()
    session = Session(agent, path, headers=sign(plane, path))
    assert session.wait("TaskManifestMessage")
    for headers in ({}, sign(plane, path, secret="wrong"), sign(plane, path, key="AKIDOTHER"),
                    sign(plane, path.replace("seqNum=1", "seqNum=2")), {"Authorization": "AWS4-HMAC-SHA256 x"}):
        status, body = refusal(agent, path, **headers)
        assert status == 403 and body["__type"] == "AccessDeniedException"
