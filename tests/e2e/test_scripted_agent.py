# SPDX-License-Identifier: Apache-2.0
"""Agents, or who says that he is one, that are broken or mean harm: the control plane lives, and other agents' sessions go on."""
import contextlib
import json
import os
import socket
import struct
import time
import urllib.error

import pytest

from fake_agent import FakeAgent, Session, agent, make_plane, plane, wait_for  # noqa: F401  (fixtures among them)
from tests.lab.berth import KEY, SECRET, sanitized
from test_tasks_sessions import sign

MEMORY = 16 << 20
DEEP = 100_000
WRONG = {bool: ("true", 1, ["x"], {"a": 1}), str: (5, True, ["x"], {"a": "x"}), int: ("5", True, ["x"], 1e300),
         float: ("5", True, ["x"]), list: ("x", 5, {"a": 1}), dict: ("x", 5, ["x"])}


@pytest.fixture
def sturdy(plane, agent):
    """An agent that is connected; afterwards it still is, gets tasks as before, and the plane is no larger."""
    pid = plane.daemon.process.pid
    run_task(plane, agent)
    files, memory = open_files(pid), memory_of(pid)
    yield agent
    run_task(plane, agent)
    assert not agent.acs.ws.closed.is_set() and plane.daemon.process.pid == pid
    wait_for("sockets to be closed", lambda: open_files(pid) <= files + 16)
    assert sanitized() or memory_of(pid) - memory < MEMORY


def open_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory_of(pid):
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def run_task(plane, agent):
    arn = plane.run_one(plane.define(), placementConstraints=[{"type": "memberOf", "expression": "agentConnected == true"}])
    assert agent.acs.wait("PayloadMessage", task=arn)
    plane.wait_task(arn, lambda task: task.get("connectivity") == "CONNECTED")
    agent.submit(arn, "STOPPED", [("web", "STOPPED", {"exitCode": 0})])
    plane.wait_task(arn, lambda task: task["lastStatus"] == "STOPPED")


def masked(data, opcode=1, fin=True, size=None, flags=0, mask=b"\1\2\3\4"):
    """`size`: what the head says, whatever is true."""
    size = len(data) if size is None else size
    head = bytes([(128 if fin else 0) | flags | opcode])
    if size < 126:
        head += bytes([128 | size])
    elif size < 65536:
        head += bytes([254]) + struct.pack(">H", size)
    else:
        head += bytes([255]) + struct.pack(">Q", size)
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))


def raw(plane, data=b""):
    sock = socket.create_connection(("127.0.0.1", plane.port), 60)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(data)
    return sock


def until_closed(sock):
    """What comes until the plane ends it."""
    found = b""
    with contextlib.suppress(OSError):
        while data := sock.recv(65536):
            found += data
    sock.close()
    return found


def test_acknowledgements_cut_at_every_byte(plane, sturdy):
    """Head and all, over two segments; and connections that end there, which are replaced each time."""
    whole = masked(b'{"type":"HeartbeatAckRequest","message":{"messageId":"x"}}')
    for at in range(1, len(whole)):
        with sturdy.acs.ws.lock:
            sturdy.acs.ws.socket.sendall(whole[:at])
            time.sleep(0.0003)
            sturdy.acs.ws.socket.sendall(whole[at:])
    other = FakeAgent(plane)
    for at in range(len(whole) + 1):
        session = Session(other, other.acs_path())
        session.ws.socket.sendall(whole[:at])
        if at % 2:
            session.ws.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        session.drop()


LIES = [
    masked(b"x", size=7), masked(b"", size=2 << 20), masked(b"", size=1 << 62), masked(b"", size=1 << 63), b"\x81\x01x",
    masked(b"x" * 200, opcode=9), masked(b"x", opcode=9, fin=False), masked(b"x", flags=0x40), masked(b"x", opcode=3),
    masked(b"x", opcode=0), masked(b"x", fin=False) * 2, masked(b"x", opcode=8), masked(struct.pack(">H", 999), opcode=8),
]


def test_heads_that_lie(plane, sturdy):
    """Each costs its session, and no other."""
    other = FakeAgent(plane)
    for lie in LIES:
        for path in (other.acs_path(), other.tcs_path()):
            session = Session(other, path)
            with contextlib.suppress(OSError):
                session.ws.socket.sendall(lie + masked(b"{}") * 10)
            if lie is not LIES[1] or path == other.acs_path():  # 2 MiB are too much for ACS only
                assert session.ws.closed.wait(60), lie
            session.drop()


def members(shape, path=()):
    yield path, shape
    for name, value in shape.items() if isinstance(shape, dict) else enumerate(shape) if isinstance(shape, list) else ():
        yield from members(value, (*path, name))


def replaced(shape, path, wrong):
    if not path:
        return wrong
    copy = dict(shape) if isinstance(shape, dict) else list(shape)
    copy[path[0]] = replaced(shape[path[0]], path[1:], wrong)
    return copy


TASK = [{"taskArn": "t", "taskClusterArn": "c", "desiredStatus": "STOPPED"}]
MESSAGES = {
    "AckRequest": {"cluster": "c", "containerInstance": "i", "messageId": "m"},
    "NackRequest": {"cluster": "c", "containerInstance": "i", "messageId": "m", "reason": "r"},
    "HeartbeatAckRequest": {"messageId": "m"},
    "IAMRoleCredentialsAckRequest": {"messageId": "m", "credentialsId": "i", "expiration": "2026-11-20T10:27:26Z"},
    "TaskStopVerificationMessage": {"messageId": "m", "stopCandidates": TASK},
}
SETS = {"max": 1, "min": 1, "sum": 1, "sampleCount": 1}
RATES = {"max": 1.5, "min": 1.5, "sum": 1.5, "sampleCount": 1}
TELEMETRY = {
    "PublishMetricsRequest": {
        "metadata": {"cluster": "default", "containerInstance": "i", "messageId": "m", "idle": False, "fin": True},
        "timestamp": 1,
        "taskMetrics": [{"taskArn": "t", "taskDefinitionFamily": "f", "taskDefinitionVersion": "1", "containerMetrics": [
            {"containerName": "a", "cpuStatsSet": RATES, "memoryStatsSet": RATES, "storageStatsSet": {"readSizeBytes": SETS}}]}]},
    "PublishHealthRequest": {
        "metadata": {"cluster": "default", "containerInstance": "i", "messageId": "m", "fin": True}, "timestamp": 1,
        "tasks": [{"taskArn": "t", "taskDefinitionFamily": "f", "taskDefinitionVersion": "1", "containers": [
            {"containerName": "a", "healthStatus": "HEALTHY", "statusSince": 1}]}]},
}


def test_wrong_types(plane, sturdy):
    """Each member of what an agent says, once with each type that it must not have; nested without end, or far too long."""
    other = FakeAgent(plane)
    session = Session(other, other.acs_path(), alive=True)
    other.connect_telemetry()
    for kind, message in MESSAGES.items():
        for path, value in members(message):
            for wrong in WRONG[type(value)]:
                session.ws.send(json.dumps({"type": kind, "message": replaced(message, path, wrong)}))
    sent = []
    for kind, message in TELEMETRY.items():
        for path, value in members(message):
            for wrong in WRONG[type(value)]:
                other.publish(kind, replaced(message, path, wrong))
                sent.append((kind, path, wrong))
    other.tcs.ws.send(json.dumps({"type": "PublishMetricsRequest", "message": {}}))  # no header block
    other.tcs.ws.send("X-Amz-Date: x\r\nno header\r\n\r\n{}")
    other.tcs.ws.send("\r\n\r\n" + "[" * DEEP)
    session.ws.send('{"type":"AckRequest","message":' + '{"a":' * DEEP + "1" + "}" * (DEEP + 1))
    wait_for("an answer to each", lambda: len(other.tcs.messages) >= len(sent) + 3)
    taken = [what for what, (name, _) in zip(sent, other.tcs.messages) if name != "BadRequestException"]
    assert taken == []
    assert not session.ws.closed.is_set() and not other.tcs.ws.closed.is_set()
    session.ws.send("x" * (1 << 20) + "x")
    other.tcs.ws.send("x" * (4 << 20) + "x")
    assert session.ws.closed.wait(60) and other.tcs.ws.closed.wait(60)
    session.drop()
    other.tcs.drop()


CHANGE = {"cluster": "default", "task": "t", "status": "RUNNING", "reason": "r", "containers": [
    {"containerName": "a", "imageDigest": "d", "runtimeId": "r", "exitCode": 1, "reason": "r", "status": "RUNNING",
     "networkBindings": [{"bindIP": "0.0.0.0", "containerPort": 1, "hostPort": 1, "protocol": "tcp"}]}]}
CALLS = {
    "SubmitTaskStateChange": CHANGE,
    "SubmitContainerStateChange": {"cluster": "default", "task": "t", "containerName": "a", "status": "RUNNING", "exitCode": 1},
    "SubmitAttachmentStateChanges": {"cluster": "default", "attachments": [{"attachmentArn": "a", "status": "ATTACHED"}]},
    "RegisterContainerInstance": {
        "cluster": "default", "instanceIdentityDocument": "", "clientToken": "x",
        "attributes": [{"name": "a", "value": "b"}], "tags": [{"key": "a", "value": "b"}],
        "totalResources": [{"name": "CPU", "type": "INTEGER", "integerValue": 1}, {"name": "PORTS", "type": "STRINGSET",
                                                                                   "stringSetValue": ["22"]}]},
    "DiscoverPollEndpoint": {"cluster": "default", "containerInstance": "i", "zoneId": "z"},
}


@pytest.mark.parametrize("operation", CALLS)
def test_calls_with_wrong_types(plane, sturdy, operation):
    """They are refused, and make nothing."""
    before = len(plane.ecs.list_container_instances()["containerInstanceArns"])
    for path, value in members(CALLS[operation]):
        for wrong in WRONG[type(value)] if path else ():
            try:
                plane.call(operation, **replaced(CALLS[operation], path, wrong))
            except urllib.error.HTTPError as error:
                assert error.code == 400, (path, wrong)
                assert "__type" in json.loads(error.read())
    assert len(plane.ecs.list_container_instances()["containerInstanceArns"]) - before <= 8


NONSENSE = [
    b"\0" * 100, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /ws HTTP/1.1\r\n" + b"X: y\r\n" * 5000, b"X" * 100000,
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]


def test_requests_that_are_none(plane, sturdy):
    """Each is answered with an error, and its connection ends."""
    for data in NONSENSE:
        answer = until_closed(raw(plane, data))
        assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 505")), data[:40]


def test_idle_and_slow_connections(plane, sturdy):
    """Hundreds that say nothing, or a byte now and then, over HTTP and over websockets; and who vanishes without a word."""
    other = FakeAgent(plane)
    head = f"GET {other.acs_path()} HTTP/1.1\r\nHost: x\r\n".encode()
    lines = [raw(plane, head[:number % len(head)]) for number in range(400)]
    slow = [Session(other, other.tcs_path()) for _ in range(10)]  # of which each replaces the one before
    for at in range(5):
        for sock in lines:
            with contextlib.suppress(OSError):
                sock.sendall(b"x" if at % 2 else b"\r")
        for session in slow:
            with contextlib.suppress(OSError):
                session.ws.socket.sendall(masked(b"x" * 60)[at:at + 1])
        run_task(plane, sturdy)
    with contextlib.suppress(PermissionError):  # as if its host had lost power; needs root
        for sock in lines[:10]:
            sock.setsockopt(socket.IPPROTO_TCP, 19, 1)
    for sock in lines:
        sock.close()
    for session in slow:
        session.drop()


def test_more_connections_than_there_is_room_for(plane, sturdy):
    """Who says nothing makes room for who comes after him; the sessions stay."""
    lines = [raw(plane) for _ in range(700)]
    begun = time.monotonic()
    plane.call("ListClusters")  # over a connection of its own
    assert time.monotonic() - begun < 50, "they would be closed after a minute anyway"
    for sock in lines:
        sock.close()


def test_unsigned_sessions_and_frames(make_plane, tmp_path):
    """acs-C3: with keys, neither a session nor a frame counts that is unsigned, wrongly signed, or signed long ago."""
    keys = tmp_path / "keys"
    keys.write_text(f"aws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
    keys.chmod(0o600)
    plane = make_plane(arguments=["--keys", str(keys)])
    agent_ = FakeAgent.__new__(FakeAgent)
    agent_.plane, agent_.cluster, agent_.ecs, agent_.acs = plane, "default", plane.ecs, None
    agent_.arn = plane.ecs.register_container_instance(
        cluster="default", totalResources=[{"name": "CPU", "type": "INTEGER", "integerValue": 1024}])[
        "containerInstance"]["containerInstanceArn"]
    path = agent_.tcs_path()
    agent_.tcs = Session(agent_, path, headers=sign(plane, path))
    message = {"metadata": {"cluster": "default", "containerInstance": agent_.arn, "messageId": "m", "idle": True, "fin": True},
               "timestamp": 1}
    good = sign(plane, path)
    frames = [{}, good, {**good, "X-Amz-Date": "20200101T000000Z"}, {"Authorization": "AWS4-HMAC-SHA256 x"},
              sign(plane, path, secret="wrong"), {f"X-{number}": "x" for number in range(1000)}]
    for number, headers in enumerate(frames):
        block = "".join(f"{name}: {value}\r\n" for name, value in {"Host": f"127.0.0.1:{plane.port}", **headers}.items())
        agent_.publish("PublishMetricsRequest", message, block)
        assert agent_.tcs.wait("BadRequestException", number + 1)
    assert not agent_.tcs.of("AckPublishMetric") and not agent_.tcs.ws.closed.is_set()
