# SPDX-License-Identifier: Apache-2.0
"""
The other end of berth-control's agent sessions, scripted by a test: a small websocket client (RFC 6455, on a socket and
a thread) and an agent that registers, connects, acknowledges and reports. No container is started and no root needed.
"""
import base64
import hashlib
import json
import os
import socket
import struct
import sys
import threading
import time
import urllib.parse
import uuid

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from tests.lab.berth import KEY, REGION, SECRET, Control  # noqa: E402  (the path above comes first)
from tests.lab.processes import wait_for  # noqa: E402

SUBNET = "10.77.0.0/28"  # eleven addresses for tasks
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Refused(Exception):
    """The handshake was answered with something else than 101."""

    def __init__(self, status, body):
        super().__init__(f"{status}: {body}")
        self.status, self.body = status, body


class WebSocket:
    """One connection. Whole messages are given to `on_message`, from a thread; `closed` is set at the end."""

    def __init__(self, host, port, path, on_message=lambda ws, text: None, headers=None):
        self.on_message = on_message
        self.closed = threading.Event()
        self.close_code = self.close_reason = None
        self.pongs = []
        self.lock = threading.Lock()
        self.socket = socket.create_connection((host, port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}:{port}", "User-Agent: Go-http-client/1.1", "Upgrade: websocket",
                 "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.rest = b""
        while b"\r\n\r\n" not in self.rest:
            self.more()
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        status = int(head.split(b" ")[1])
        answer = {name.strip().lower(): value.strip() for name, _, value in
                  (line.partition(":") for line in head.decode().split("\r\n")[1:])}
        if status != 101:
            while len(self.rest) < int(answer.get("content-length", 0)):
                self.more()
            self.socket.close()
            raise Refused(status, self.rest.decode())
        digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        assert answer["sec-websocket-accept"] == base64.b64encode(digest).decode()
        self.socket.settimeout(None)
        self.thread = threading.Thread(target=self.read, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def more(self):
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the peer has closed")
        self.rest += data

    def take(self, size):
        while len(self.rest) < size:
            self.more()
        data, self.rest = self.rest[:size], self.rest[size:]
        return data

    def frame(self):
        first, second = self.take(2)
        size = second & 127
        assert not second & 128, "a server must not mask"
        if size == 126:
            size = struct.unpack(">H", self.take(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self.take(8))[0]
        return first & 15, bool(first & 128), self.take(size)

    def read(self):
        message = b""
        try:
            while True:
                opcode, fin, data = self.frame()
                if opcode == PING:
                    self.send_frame(PONG, data)
                elif opcode == PONG:
                    self.pongs.append(data)
                elif opcode == CLOSE:
                    if len(data) >= 2:
                        self.close_code, self.close_reason = struct.unpack(">H", data[:2])[0], data[2:].decode()
                    self.send_frame(CLOSE, data[:2])
                    return
                else:
                    message += data
                    if fin:
                        text, message = message.decode(), b""
                        self.on_message(self, text)
        except (OSError, ConnectionError):
            pass
        finally:
            self.socket.close()
            self.closed.set()

    def send_frame(self, opcode, data, fin=True):
        mask = os.urandom(4)
        head = bytes([(128 if fin else 0) | opcode])
        if len(data) < 126:
            head += bytes([128 | len(data)])
        elif len(data) < 65536:
            head += bytes([128 | 126]) + struct.pack(">H", len(data))
        else:
            head += bytes([128 | 127]) + struct.pack(">Q", len(data))
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
        with self.lock:
            try:
                self.socket.sendall(head + mask + masked)
            except OSError:
                pass

    def send(self, text, fragment=None):
        data = text.encode()
        if not fragment:
            self.send_frame(TEXT, data)
            return
        parts = [data[i:i + fragment] for i in range(0, len(data), fragment)]
        for i, part in enumerate(parts):
            self.send_frame(TEXT if i == 0 else 0, part, fin=i == len(parts) - 1)

    def ping(self, data):
        self.send_frame(PING, data)

    def drop(self):
        """The TCP connection, without a close frame."""
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join(5)


class Session:
    """
    An ACS or TCS connection, and every message that came over it. `alive`: heartbeats are answered; `automatic`: all the rest
    is acknowledged as well.
    """

    def __init__(self, agent, path, automatic=False, headers=None, alive=False):
        self.agent, self.messages, self.times, self.automatic, self.alive = agent, [], [], automatic, alive
        self.changed = threading.Condition()
        self.ws = WebSocket("127.0.0.1", agent.plane.port, path, self.took, headers)
        self.ws.start()

    def took(self, ws, text):
        envelope = json.loads(text)
        with self.changed:
            self.messages.append((envelope["type"], envelope["message"]))
            self.times.append(time.monotonic())
            self.changed.notify_all()
        if envelope["type"] == "HeartbeatMessage":
            if self.alive:
                self.send("HeartbeatAckRequest", messageId=envelope["message"]["messageId"])
        elif self.automatic:
            self.agent.answer(self, envelope["type"], envelope["message"])

    def of(self, kind, task=None):
        return [message for name, message in list(self.messages)
                if name == kind and (task is None or task in json.dumps(message))]

    def wait(self, kind, count=1, task=None, seconds=60):
        """The `count`-th message of that type (about that task)."""
        end = time.monotonic() + seconds
        with self.changed:
            while len(self.of(kind, task)) < count:
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"{kind} no. {count} within {seconds} s; came: "
                                       f"{[name for name, _ in self.messages]}")
                self.changed.wait(left)
        return self.of(kind, task)[count - 1]

    def send(self, kind, **message):
        self.ws.send(json.dumps({"type": kind, "message": message}))

    def drop(self):
        self.ws.drop()


class FakeAgent:
    """A container instance without containers."""

    ATTRIBUTES = ["ecs.capability.task-eni", "ecs.capability.task-eni.ipv6",
                  "com.amazonaws.ecs.capability.docker-remote-api.1.18", "com.amazonaws.ecs.capability.docker-remote-api.1.21",
                  "com.amazonaws.ecs.capability.docker-remote-api.1.29", "ecs.capability.container-health-check",
                  "com.amazonaws.ecs.capability.task-iam-role", "ecs.capability.container-ordering"]

    def __init__(self, plane, cluster="default", cpu=2048, memory=3900, attributes=()):
        self.plane, self.cluster, self.ecs = plane, cluster, plane.ecs
        self.acs = self.tcs = None
        # The SDK does not know clientToken, which agents send.
        answer = plane.call(
            "RegisterContainerInstance", cluster=cluster, clientToken=str(uuid.uuid4()), instanceIdentityDocument="",
            instanceIdentityDocumentSignature="",
            attributes=[{"name": name} for name in self.ATTRIBUTES] + [{"name": "ecs.os-type", "value": "linux"}] +
            [{"name": name, "value": value} for name, value in attributes],
            totalResources=[{"name": "CPU", "type": "INTEGER", "integerValue": cpu},
                            {"name": "MEMORY", "type": "INTEGER", "integerValue": memory},
                            {"name": "PORTS", "type": "STRINGSET", "stringSetValue": ["22", "51678"]},
                            {"name": "PORTS_UDP", "type": "STRINGSET", "stringSetValue": []}])
        self.arn = answer["containerInstance"]["containerInstanceArn"]

    def acs_path(self, send_credentials=True, **changes):
        query = dict(agentHash="a8b3e7d3", agentVersion="1.105.1", clusterArn=self.cluster,
                     containerInstanceArn=self.arn, dockerVersion="DockerVersion: 24.0.7", protocolVersion="2",
                     sendCredentials="true" if send_credentials else "false", seqNum="1")
        return "/ws?" + urllib.parse.urlencode({**query, **changes})

    def tcs_path(self, **changes):
        query = dict(agentHash="a8b3e7d3", agentVersion="1.105.1", cluster=self.cluster, containerInstance=self.arn,
                     dockerVersion="24.0.7")
        return "/ws?" + urllib.parse.urlencode({**query, **changes})

    def connect(self, automatic=True, send_credentials=True):
        """Opens ACS; `automatic`: everything is acknowledged as it comes, and not only heartbeats."""
        self.acs = Session(self, self.acs_path(send_credentials), automatic, alive=True)
        wait_for("the instance to be connected", self.is_connected)
        return self.acs

    def connect_telemetry(self):
        self.tcs = Session(self, self.tcs_path())
        return self.tcs

    def instance(self):
        return self.ecs.describe_container_instances(cluster=self.cluster, containerInstances=[self.arn])[
            "containerInstances"][0]

    def is_connected(self):
        return self.instance()["agentConnected"]

    def ack(self, session, message):
        session.send("AckRequest", cluster=message["clusterArn"], containerInstance=message["containerInstanceArn"],
                     messageId=message["messageId"])

    def ack_credentials(self, session, message_id, credentials):
        session.send("IAMRoleCredentialsAckRequest", messageId=message_id,
                     credentialsId=credentials["credentialsId"], expiration=credentials["expiration"])

    def answer(self, session, kind, message):
        if kind == "PayloadMessage":
            for task in message["tasks"]:
                for role in ("roleCredentials", "executionRoleCredentials"):
                    if role in task:
                        self.ack_credentials(session, message["messageId"], task[role])
            self.ack(session, message)
        elif kind == "IAMRoleCredentialsMessage":
            self.ack_credentials(session, message["messageId"], message["roleCredentials"])
        elif kind in ("AttachTaskNetworkInterfacesMessage", "TaskManifestMessage"):
            self.ack(session, message)

    def submit(self, task, status=None, containers=(), **more):
        """SubmitTaskStateChange. `containers`: (name, status, further members)."""
        members = dict(more, cluster=self.cluster, task=task)
        if status:
            members.update(status=status, reason=more.get("reason", ""))
        if containers:
            members["containers"] = [dict(further, containerName=name, status=state)
                                     for name, state, further in containers]
        return self.ecs.submit_task_state_change(**members)

    def publish(self, kind, message, headers="Host: 127.0.0.1\r\nX-Amz-Date: 20261120T102732Z\r\n"):
        self.tcs.ws.send(headers + "\r\n" + json.dumps({"type": kind, "message": message}))


class Plane(Control):
    """berth-control with the AWS client beside it."""

    def start(self):
        self.ecs = self.boto()
        return super().start()

    def answers(self):
        if not self.daemon.alive():
            raise RuntimeError("berth-control ended: " + self.daemon.text()[-2000:])
        return bool(self.ecs.list_clusters())  # signed, unlike call()

    def restart(self):
        assert self.stop() == 0
        return self.start()

    def define(self, family="web", mode=None, containers=None, **more):
        members = dict(more, family=family)
        if mode:
            members["networkMode"] = mode
        members["containerDefinitions"] = containers or [{"name": "web", "image": "busybox", "cpu": 128, "memory": 128}]
        definition = self.ecs.register_task_definition(**members)["taskDefinition"]
        return f"{family}:{definition['revision']}"

    def run(self, definition, count=1, subnet=None, **more):
        if subnet:
            more["networkConfiguration"] = {"awsvpcConfiguration": {"subnets": [subnet]}}
        return self.ecs.run_task(taskDefinition=definition, count=count, **more)

    def run_one(self, definition, **more):
        answer = self.run(definition, **more)
        assert answer["failures"] == []
        return answer["tasks"][0]["taskArn"]

    def task(self, arn, **more):
        return self.ecs.describe_tasks(tasks=[arn], **more)["tasks"][0]

    def wait_task(self, arn, check, what="the task to change"):
        return wait_for(what, lambda: (lambda task: task if check(task) else None)(self.task(arn)))


@pytest.fixture
def make_plane(tmp_path):
    """Starts planes; all are ended, and a sanitizer's complaint in the log of one fails the test."""
    planes = []

    def make(**options):
        plane = Plane(str(tmp_path / f"plane-{len(planes)}"), **{"subnet": SUBNET, **options})
        planes.append(plane)
        return plane.start()

    yield make
    for plane in planes:
        code = plane.stop()
        log = plane.daemon.text()
        assert code == 0, log[-3000:]
        assert "ERROR: AddressSanitizer" not in log and "runtime error:" not in log, log[-5000:]


@pytest.fixture
def plane(make_plane):
    return make_plane()


@pytest.fixture
def agent(plane):
    """An instance whose agent is connected and acknowledges everything."""
    agent = FakeAgent(plane)
    agent.connect()
    return agent


__all__ = ["BINARY", "KEY", "REGION", "SECRET", "SUBNET", "FakeAgent", "Plane", "Refused", "Session", "WebSocket", "agent",
           "make_plane", "plane", "wait_for"]
