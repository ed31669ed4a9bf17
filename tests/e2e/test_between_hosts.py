# SPDX-License-Identifier: Apache-2.0
"""Tasks of one VPC on two hosts, each a network namespace on a wire: they reach each other, and nobody else gets in."""
import contextlib
import json
import socket
import subprocess

import pytest

from tests.e2e.test_endpoints import PYTHON, inside
from tests.e2e.test_first_task import FOREVER, WEB, address
from tests.e2e.test_ipv6 import six
from tests.lab import leaks
from tests.lab.berth import wait_for
from tests.lab.hosts import WIRE

VPC, SUBNET, PORT = "vpc-berth", "subnet-berth", 80
ANSWER, TIMEOUT = "hello from berth", "TimeoutError"
ASK = """
import socket, sys
try:
    connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), 1)
    connection.settimeout(30)  # the kernel connects; the server may have to wait for its turn
    connection.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
    print(connection.makefile().read().split("\\n")[-2])
except OSError as error:
    sys.exit(print(type(error).__name__))
"""
# A server that tells who asks, for each line a line.
TELL = """
import socket, sys
server = socket.create_server(("", int(sys.argv[1])))
print("ready", flush=True)
while True:
    connection, peer = server.accept()
    for line in connection.makefile():
        connection.sendall(f"{peer[0]} {line}".encode())
"""
DATAGRAM = """
import errno, socket, sys
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER: DO
try:
    sender.sendto(bytes(int(sys.argv[3]) - 28), (sys.argv[1], int(sys.argv[2])))
    print("sent")
except OSError as error:
    print(errno.errorcode[error.errno])
"""
pytestmark = pytest.mark.lab(host_count=2)


class Hosts:
    """Two hosts with an agent each."""

    def __init__(self, lab):
        self.lab, self.ec2 = lab, lab.control.boto("ec2")
        self.image = lab.registry.image("web")
        # ctr runs where the agent does, and the registry does not listen there.
        subprocess.run(["ctr", "--address", lab.containerd.address, "--namespace", "berth", "images", "pull", "--plain-http",
                        self.image], check=True, stdout=subprocess.DEVNULL)
        self.agents = [lab.agent(host=host).start() for host in lab.hosts]
        self.arns = [agent.metadata()["ContainerInstanceArn"] for agent in self.agents]

    def start(self, number, command=None, group=None, subnet=SUBNET):
        """A task on that host, which runs."""
        definition = self.lab.define("between", [{"image": self.image, "command": command or FOREVER}])
        network = {"subnets": [subnet], **({"securityGroups": [group]} if group else {})}
        answer = self.lab.control.call("StartTask", taskDefinition=definition, containerInstances=[self.arns[number]],
                                       networkConfiguration={"awsvpcConfiguration": network})
        assert answer["failures"] == []
        return self.lab.wait_ready(answer["tasks"][0]["taskArn"])

    def stop(self, *tasks):
        for task in tasks:
            self.lab.stop_task(task["taskArn"])
        for task in tasks:
            self.lab.wait_status(task["taskArn"], "STOPPED")

    def pid(self, task):
        return self.lab.main_pid(task["taskArn"])

    def run(self, task, script, *arguments):
        return inside(self.pid(task), PYTHON, "-c", script, *map(str, arguments)).strip()

    def asked(self, task, of):
        """The answer of another task's web server, or the name of the error."""
        return self.run(task, ASK, of if isinstance(of, str) else address(of), PORT)

    def entries(self, number):
        """What the host has written down of the others: addresses with their hosts, and hosts."""
        host = self.lab.hosts[number]
        routes = json.loads(host.run("ip", "-4", "-j", "route", "show", "table", "all"))
        device = next((link["ifname"] for link in json.loads(host.run("ip", "-j", "link"))
                       if link["ifname"].startswith("vx")), None)
        found = {f"{route['dst']} via {route['gateway']}" for route in routes
                 if route.get("protocol") == leaks.PROTOCOL and "gateway" in route}
        if device:
            found |= {f"neighbour {row['dst']}" for row in json.loads(host.run("ip", "-j", "-4", "neigh", "show", "dev", device,
                                                                                "nud", "permanent"))}
            found |= {f"forwarding {row['dst']}" for row in json.loads(host.run("bridge", "-j", "fdb", "show", "dev", device))}
        return found


@pytest.fixture
def hosts(lab):
    return Hosts(lab)


def of_host(number, *tasks):
    """What entries() has when these tasks are on that host alone."""
    where = f"198.51.100.{number + 1}"
    return {f"{address(task)} via {where}" for task in tasks} | {f"neighbour {where}", f"forwarding {where}"}


class Stream:
    """A TCP connection from one task to another that was told to run TELL, kept open."""

    def __init__(self, hosts, client, server):
        self.source = address(client)
        pids = hosts.pid(client), hosts.pid(server)
        self.server = subprocess.Popen(["nsenter", "-t", str(pids[1]), "-n", PYTHON, "-c", TELL, "5000"],
                                       stdout=subprocess.PIPE, text=True)
        ready = self.server.stdout.readline()
        relay = ("import socket,sys\ns=socket.create_connection((sys.argv[1],5000),30);f=s.makefile()\n"
                 "for line in sys.stdin:\n s.sendall(line.encode());print(f.readline(),end='',flush=True)")
        self.client = subprocess.Popen(["nsenter", "-t", str(pids[0]), "-n", PYTHON, "-c", relay, address(server)],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if ready != "ready\n":
            self.close()
            raise RuntimeError("the server has not come up")

    def says(self, word):
        self.client.stdin.write(word + "\n")
        self.client.stdin.flush()
        return self.client.stdout.readline() == f"{self.source} {word}\n"

    def close(self):
        for process in (self.client, self.server):
            process.kill()
            process.communicate()


class Sink:
    """Waits in a task for one datagram."""

    def __init__(self, hosts, task):
        script = ("import socket\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);s.bind(('',9));print('ready',flush=True)\n"
                  "print(len(s.recv(65535))+28,flush=True)")
        self.server = subprocess.Popen(["nsenter", "-t", str(hosts.pid(task)), "-n", PYTHON, "-c", script],
                                       stdout=subprocess.PIPE, text=True)
        if self.server.stdout.readline() != "ready\n":
            self.close()
            raise RuntimeError("the server has not come up")

    def received(self):
        """How large its packet was."""
        return int(self.server.stdout.readline())

    def close(self):
        self.server.kill()
        self.server.communicate()


def heard_on_wire(of, act):
    """How many frames on the wire have that address in them, while something is done."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as wire:
        wire.bind((WIRE, 0))
        subprocess.run(["ip", "link", "set", WIRE, "promisc", "on"], check=True)
        act()
        wire.settimeout(0.1)
        frames = []
        try:
            while True:
                frames.append(wire.recv(65536))
        except TimeoutError:
            return sum(socket.inet_aton(of) in frame for frame in frames)


@pytest.mark.lab(host_count=2, host_mtu=9001, subnet="10.99.0.0/24,ipv6=fd00:99:1:2::/64")
def test_tasks_of_a_vpc_reach_each_other_by_their_own_addresses(hosts):
    """
    In both families; unknown destinations; and the MTU (net-T23, the half that is about VXLAN).
    """
    elsewhere = hosts.ec2.create_subnet(VpcId=VPC, CidrBlock="10.99.9.0/24")["Subnet"]["SubnetId"]
    web, client = hosts.start(0, WEB), hosts.start(1)
    far = hosts.start(1, WEB, subnet=elsewhere)
    wait_for("the server", lambda: hosts.asked(client, web) == ANSWER)
    wait_for("the server of the other subnet", lambda: hosts.asked(web, far) == ANSWER)
    wait_for("the server by IPv6", lambda: hosts.asked(client, six(web)) == ANSWER)
    with contextlib.closing(Stream(hosts, client, web)) as stream:
        assert stream.says("hello"), "the server sees the client's own address"
    assert hosts.entries(0) == of_host(1, client, far) and hosts.entries(1) == of_host(0, web)

    # What is left of 9001 bytes, and that it arrives; between two of a host as well.
    assert json.loads(inside(hosts.pid(client), "ip", "-j", "link", "show", "eth0"))[0]["mtu"] == 8951
    for server in (web, far):
        with contextlib.closing(Sink(hosts, server)) as sink:
            assert hosts.run(client, DATAGRAM, address(server), 9, 8951) == "sent" and sink.received() == 8951
        assert hosts.run(client, DATAGRAM, address(server), 9, 8952) == "EMSGSIZE"

    # An address that nobody has: no question and no packet leaves the host.
    outcome = []
    assert heard_on_wire("10.99.0.200", lambda: outcome.append(hosts.asked(client, "10.99.0.200"))) == 0
    assert outcome[0] in (TIMEOUT, "OSError")
    assert heard_on_wire(address(web), lambda: hosts.asked(client, web)) > 0

    hosts.stop(web)
    wait_for("the entry to go", lambda: hosts.entries(1) == set())
    assert hosts.asked(client, web) in (TIMEOUT, "OSError")


def test_groups_hold_across_hosts(hosts):
    groups = [hosts.ec2.create_security_group(GroupName=name, Description=name, VpcId=VPC)["GroupId"]
              for name in ("web", "client")]
    web = hosts.start(0, WEB, groups[0])
    client, other = hosts.start(1, group=groups[1]), hosts.start(1)
    assert hosts.asked(client, web) == TIMEOUT
    rule = {"GroupId": groups[0], "IpPermissions": [{"IpProtocol": "tcp", "FromPort": PORT, "ToPort": PORT,
                                                     "UserIdGroupPairs": [{"GroupId": groups[1]}]}]}
    hosts.ec2.authorize_security_group_ingress(**rule)
    wait_for("the rule to be in force", lambda: hosts.asked(client, web) == ANSWER)
    assert hosts.asked(other, web) == TIMEOUT, "it is no member"
    assert hosts.asked(hosts.start(1, group=groups[1]), web) == ANSWER, "a member more, by its first packet"
    hosts.ec2.revoke_security_group_ingress(**rule)
    wait_for("the rule to be gone", lambda: hosts.asked(client, web) == TIMEOUT)


@pytest.mark.lab(host_count=2, subnet="10.99.0.0/28")
def test_an_address_that_goes_to_the_other_host_leaves_nothing_stale(hosts):
    client, web = hosts.start(0), hosts.start(1, WEB)
    wait_for("the server", lambda: hosts.asked(client, web) == ANSWER)
    before = hosts.entries(0)
    hosts.stop(web)
    # Eleven addresses: the last one to be given back is the last one to be given again.
    others = [hosts.start(1) for _ in range(9)]
    assert hosts.entries(0) == of_host(1, *others) and before == of_host(1, web)
    again = hosts.start(0, WEB)
    assert address(again) == address(web)
    wait_for("the server", lambda: hosts.asked(others[0], again) == ANSWER)
    assert hosts.asked(client, again) == ANSWER
    assert hosts.entries(0) == of_host(1, *others)
    assert hosts.entries(1) == of_host(0, client, again)
    hosts.stop(*others)
    wait_for("the entries to go", lambda: hosts.entries(0) == hosts.entries(1) == set())


def test_a_host_that_comes_back_finds_what_it_left(hosts):
    client, server = hosts.start(0), hosts.start(1)
    passing = hosts.start(0)
    with contextlib.closing(Stream(hosts, client, server)) as stream:
        assert stream.says("before")
        agent = hosts.agents[1]
        agent.kill()
        assert stream.says("without an agent")
        # What goes meanwhile is stale until it is back.
        hosts.stop(passing)
        assert hosts.entries(1) == of_host(0, client, passing)
        agent.start()
        wait_for("what is stale to go", lambda: hosts.entries(1) == of_host(0, client))
        assert stream.says("after")
        # And when it ends in good order, its tasks go on.
        agent.stop()
        assert stream.says("at its end") and hosts.entries(1) == of_host(0, client)
        agent.start()
        assert stream.says("once more")
    hosts.stop(client, server)
    for number in range(2):
        wait_for("the device to go", lambda number=number: "vx" not in hosts.lab.hosts[number].run("ip", "link"))


def test_a_network_that_another_program_has_is_refused_and_said(hosts):
    host, agent = hosts.lab.hosts[0], hosts.agents[0]
    host.run("ip", "link", "add", "theirs", "type", "vxlan", "id", "1", "dstport", "4789", "local", host.address)
    client = hosts.start(0)
    web = hosts.start(1, WEB)
    wait_for("the log to say so", lambda: "A VXLAN device with the specified VNI already exists" in agent.daemon.text())
    assert hosts.asked(client, web) in (TIMEOUT, "OSError") and "theirs" in host.run("ip", "link")
    host.run("ip", "link", "delete", "theirs")
    hosts.start(0)
    wait_for("the server", lambda: hosts.asked(client, web) == ANSWER)
