# SPDX-License-Identifier: Apache-2.0
"""Service Connect, the agent's half: a control plane that is scripted here sends tasks with the attachment, real containers
run. The relay is not the one of AWS: what comes to its ports is shown, not what it makes of it."""
import contextlib
import json
import os
import socket
import subprocess

import pytest

from tests.conformance import peer as peers
from tests.e2e.test_bridge import DEBIAN_PLUGINS
from tests.e2e.test_first_task import shared
from tests.lab import network
from tests.lab.berth import program, wait_for

ARN = f"arn:aws:ecs:{peers.REGION}:{peers.ACCOUNT}:task/demo/"
FOREVER = "while :; do sleep 0.1; done"
# Reads a request, answers it.
ANSWER = ("while read line && [ ${#line} -gt 1 ]; do :; done; printf \"HTTP/1.0 200 OK\\r\\n\\r\\nrelayed\\n\"")
PORT_OF = "p=${APPNET_LISTENER_PORT_MAPPING#*\\\"%s\\\":}; p=${p%%%%[,\\}]*}; "
IP_TRANSPARENT = 19


class Plane:
    """The scripted control plane, and an agent that is connected to it."""

    def __init__(self, lab, **settings):
        self.lab, self.peer = lab, peers.Peer()
        self.image = lab.registry.image("web")
        self.agent = lab.agent("sc", ECS_BACKEND_HOST=self.peer.url, AWS_ACCESS_KEY_ID=peers.KEY, ECS_CLUSTER="demo",
                               AWS_SECRET_ACCESS_KEY=peers.SECRET, AWS_SESSION_TOKEN=peers.TOKEN,
                               AWS_DEFAULT_REGION=peers.REGION, AWS_REGION=None, ECS_BACKEND_REGION=None, **settings)
        self.agent.start(wait=False)
        self.acs = self.peer.acs.next()
        self.acs.keep_alive(every=5)
        self.sequence = 0

    def send(self, name, desired="RUNNING", **members):
        self.sequence += 1
        task = {"arn": ARN + name, "family": "sc", "version": "1", "desiredStatus": desired, **members}
        self.acs.say("PayloadMessage", {"messageId": f"m{self.sequence}", "clusterArn": peers.CLUSTER, "seqNum": self.sequence,
                                        "containerInstanceArn": peers.INSTANCE, "tasks": [task]})
        return task

    def wait(self, name, status):
        return self.peer.wait_call("SubmitTaskStateChange", match=lambda body: body["task"] == ARN + name and
                                   body.get("status") == status)

    def end(self, name, task):
        self.send(name, "STOPPED", **task)
        return self.wait(name, "STOPPED")

    def bindings(self, name):
        """Of all containers, as they were reported."""
        with self.peer.changed:
            reports = [body for _, operation, body, _ in self.peer.calls if operation == "SubmitTaskStateChange"]
        return {found["containerName"]: found["networkBindings"] for body in reports if body["task"] == ARN + name
                for found in body.get("containers", []) if found.get("networkBindings")}

    def container(self, name, script, **members):
        return {"name": name, "image": self.image, "essential": True, "overrides": "{}", "cpu": 10, "memory": 32,
                "command": ["sh", "-c", f"trap 'exit 0' TERM; {script}"], **members}


@pytest.fixture
def plane(lab, request):
    plane = Plane(lab, **(request.param(lab) if hasattr(request, "param") else {}))
    yield plane
    assert plane.peer.bad_signatures == []
    wait_for("the agent to clean up its tasks", lambda: not plane.agent.introspect("/v1/tasks")["Tasks"])
    plane.agent.stop()
    plane.peer.stop()


def attachment(config):
    return {"attachmentArn": "arn:aws:ecs:us-west-2:111122223333:attachment/sc", "attachmentType": "serviceconnectdetail",
            "attachmentProperties": [{"name": "ContainerName", "value": "sc"},
                                     {"name": "ServiceConnectConfig", "value": json.dumps(config)}]}


def volume(path, name):
    return {"volumes": [{"name": name, "type": "host", "host": {"sourcePath": path}}]}


def text_of(path):
    def read():
        with open(path) as file:
            return file.read()
    return wait_for(path, read)


def environment_of(path):
    return dict(line.split("=", 1) for line in text_of(path).splitlines() if "=" in line)


def first_bytes(host, port):
    def once():
        with socket.create_connection((host, port), 5) as connection:
            return connection.recv(64).decode()
    return wait_for(f"a word of {host}:{port}", once)


def test_an_awsvpc_task_speaks_by_way_of_its_relay(plane):
    """Names are virtual addresses, which lead to the relay's egress listener; what comes in for the application's port meets
    its ingress listener. The relay is told its ports and runs as its own user."""
    path, given, _ = shared(plane.lab, "out")
    os.chmod(path, 0o777)
    relay = plane.container(
        "sc", "env >/out/env.new; id -u >>/out/env.new; busybox mv /out/env.new /out/env; "
        + PORT_OF % "egress" + f"nc -ll -p $p -e sh -c '{ANSWER}' & "
        + PORT_OF % "ingress" + f"nc -ll -p $p -e printf 'the relay, inbound' & {FOREVER}", **given)
    app = plane.container("app", "httpd -p 8080 -h /www; until wget -q -O /out/page.new http://web.internal:9000/; do sleep 0.1; "
                          f"done; busybox mv /out/page.new /out/page; {FOREVER}", **given,
                          portMappings=[{"containerPort": 8080}])
    task = dict(networkMode="awsvpc", containers=[app, relay], **volume(path, "out"), elasticNetworkInterfaces=[{
        "attachmentArn": "arn:aws:ecs:us-west-2:111122223333:attachment/eni", "ec2Id": "eni-1",
        "macAddress": "0a:00:00:00:00:01", "ipv4Addresses": [{"primary": True, "privateAddress": "10.99.0.77"}],
        "subnetGatewayIpv4Address": "10.99.0.1/24"}], attachments=[attachment({
            "ingressConfig": [{"listenerName": "ingress", "interceptPort": 8080}],
            "egressConfig": {"listenerName": "egress", "vip": {"ipv4Cidr": "127.255.0.0/16"}},
            "dnsConfig": [{"hostName": "web.internal", "address": "127.255.0.7"}]})])
    plane.send("vpc", **task)
    plane.wait("vpc", "RUNNING")
    assert text_of(os.path.join(path, "page")) == "relayed\n"
    env = environment_of(os.path.join(path, "env"))
    ports = json.loads(env["APPNET_LISTENER_PORT_MAPPING"])
    assert set(ports) == {"ingress", "egress"} and all(32768 <= port <= 60999 for port in ports.values())
    assert text_of(os.path.join(path, "env")).splitlines()[-1] == "20000"
    assert first_bytes("10.99.0.77", 8080) == "the relay, inbound"
    plane.end("vpc", task)


def transparent_server(port):
    server = socket.socket()
    server.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
    server.bind(("0.0.0.0", port))
    server.listen()
    server.settimeout(60)
    return server


def test_containers_of_a_bridge_task_speak_by_way_of_the_relays_namespace(plane):
    """net-T50. The relay's address is known before the others are provisioned, and theirs before it is made. A call of the
    application comes to it as it was made, source and destination; its listener is published on the host."""
    path, given, _ = shared(plane.lab, "out")
    os.chmod(path, 0o777)
    relay = plane.container("sc", "env >/out/env.new; busybox mv /out/env.new /out/env; " + PORT_OF % "ingress" +
                            f"nc -ll -p $p -e printf 'the relay, inbound' & {FOREVER}", **given)
    app = plane.container("app", "until wget -q -O /out/page.new http://web.internal:9000/; do sleep 0.1; done; "
                          f"busybox mv /out/page.new /out/page; {FOREVER}", **given)
    task = dict(networkMode="bridge", containers=[app, relay], **volume(path, "out"), attachments=[attachment({
        "ingressConfig": [{"listenerName": "ingress"}],
        "egressConfig": {"listenerName": "egress", "listenerPort": 15001, "vip": {"ipv4Cidr": "10.255.0.0/16"}},
        "dnsConfig": [{"hostName": "web.internal", "address": "10.255.0.7"}]})])
    plane.send("bridge", **task)
    plane.wait("bridge", "RUNNING")
    env = environment_of(os.path.join(path, "env"))
    addresses = json.loads(env["APPNET_CONTAINER_IP_MAPPING"])
    assert set(addresses) == {"app", "sc"} and addresses["app"] != addresses["sc"]

    relays = f"/proc/{plane.agent.process(ARN + 'bridge', 'sc')}/ns/net"
    with contextlib.closing(network.inside(relays, lambda: transparent_server(15001))) as server:
        connection, (source, _) = server.accept()
        with connection:
            assert source == addresses["app"]
            assert connection.getsockname() == ("10.255.0.7", 9000)
            assert connection.recv(1024).startswith(b"GET / HTTP/1.1")
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nby the relay\n")
    assert text_of(os.path.join(path, "page")) == "by the relay\n"

    ports = json.loads(env["APPNET_LISTENER_PORT_MAPPING"])
    binding, = plane.bindings("bridge")["sc"]
    assert ports == {"ingress": binding["containerPort"]}
    assert first_bytes("127.0.0.1", binding["hostPort"]) == "the relay, inbound"
    plane.end("bridge", task)
    routes = subprocess.run(["ip", "route", "show", "table", "all"], capture_output=True, text=True, check=True).stdout
    assert "10.255.0.0/16" not in routes, "routes of a task stay in it"


def operators_network(lab):
    """A network of both families in the place of Berth's, whose settings name IPv4 alone."""
    directory = os.path.join(lab.directory, "net.d")
    os.mkdir(directory)
    with open(os.path.join(directory, "10-bridge.conflist"), "w") as file:
        json.dump({"cniVersion": "1.0.0", "name": "bridge", "plugins": [
            {"type": "ecs-bridge", "bridge": "berth9", "isDefaultGateway": True,
             "ipam": {"type": "host-local", "dataDir": os.path.join(lab.directory, "host-local"),
                      "ranges": [[{"subnet": "172.29.9.0/24"}], [{"subnet": "fd00:172:29:9::/64"}]]}}]}, file)
    ours = os.path.dirname(program("ecs-bridge"))
    return {"BERTH_CNI_CONFIG_DIR": directory, "ECS_CNI_PLUGINS_PATH": f"{DEBIAN_PLUGINS}:{ours}"}


@pytest.mark.parametrize("plane", [operators_network], indirect=True)
def test_families_are_those_of_the_network_that_the_task_has(plane):
    task = dict(networkMode="bridge", containers=[plane.container("app", FOREVER), plane.container("sc", FOREVER)],
                attachments=[attachment({"egressConfig": {"listenerName": "egress", "listenerPort": 15001, "vip": {
                    "ipv4Cidr": "10.255.0.0/16", "ipv6Cidr": "fd00:ec2:f0::/48"}}})])
    plane.send("both", **task)
    plane.wait("both", "RUNNING")

    def inside(name, *argv):
        return subprocess.run(["nsenter", "-n", "-t", str(plane.agent.process(ARN + "both", name)), *argv],
                              capture_output=True, text=True, check=True).stdout
    links = json.loads(inside("sc", "ip", "-j", "-6", "address", "show", "dev", "eth0", "scope", "global"))
    address = links[0]["addr_info"][0]["local"]
    assert f"via {address}" in inside("app", "ip", "-6", "route", "show", "fd00:ec2:f0::/48")
    assert "10.255.0.0/16" in inside("app", "ip", "route")
    rules = inside("sc", "nft", "list", "ruleset")
    assert "fd00:ec2:f0::/48" in rules and "10.255.0.0/16" in rules
    plane.end("both", task)
