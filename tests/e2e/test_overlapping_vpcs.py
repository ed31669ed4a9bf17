# SPDX-License-Identifier: Apache-2.0
"""Two VPCs that are alike in all their addresses, on the same two hosts: net-T59."""
import contextlib
import json
import subprocess
import threading

import pytest

from tests.e2e.test_between_hosts import TIMEOUT, Hosts
from tests.e2e.test_endpoints import PYTHON
from tests.e2e.test_first_task import address
from tests.e2e.test_ipv6 import six
from tests.lab.berth import wait_for
from tests.lab.processes import PATIENCE

IPV4, IPV6 = ("10.60.0.0/16", "10.60.0.0/28"), ("fd00:60::/56", "fd00:60::/64")
PORT = 80
# Tells everybody which VPC it is that he has reached, and each datagram that comes.
SERVE = """
import socket, sys, threading
receiver = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
receiver.bind(("::", 80))
def hear():
    while True:
        print(receiver.recv(100).decode(), flush=True)
threading.Thread(target=hear, daemon=True).start()
server = socket.create_server(("", 80), family=socket.AF_INET6, dualstack_ipv6=True)
print("ready", flush=True)
held = []
while True:
    connection = server.accept()[0]
    held.append(connection)
    connection.sendall(sys.argv[1].encode() + b"\\n")
"""
# From a port that is the same each time, where one is given; then it stays open until a line comes.
ASK = """
import socket, sys
sender = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
sender.settimeout(1)
if len(sys.argv) > 2:
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sender.bind(("", int(sys.argv[2])))
try:
    sender.connect((sys.argv[1], 80))
    sender.settimeout(30)  # the kernel connects; the server may have to wait for its turn
    print(sender.makefile().readline().strip(), flush=True)
except OSError as error:
    sys.exit(print(type(error).__name__))
if len(sys.argv) > 2:
    sys.stdin.readline()
"""
# A datagram from an address that may be another's.
SEND = """
import socket, sys
family, level, option = (socket.AF_INET6, 41, 75) if ":" in sys.argv[1] else (socket.AF_INET, 0, 19)
sender = socket.socket(family, socket.SOCK_DGRAM)
sender.setsockopt(level, option, 1)  # IP_TRANSPARENT
sender.bind((sys.argv[1], 4000))
sender.sendto(sys.argv[3].encode(), (sys.argv[2], 80))
"""
pytestmark = pytest.mark.lab(host_count=2)


class Vpc:
    """On the first host a server and a client, on the second one who asks from there."""

    def __init__(self, hosts, name):
        self.hosts, self.name = hosts, name
        self.id = hosts.ec2.create_vpc(CidrBlock=IPV4[0], Ipv6CidrBlock=IPV6[0], Ipv6Pool="mine")["Vpc"]["VpcId"]
        self.subnet = hosts.ec2.create_subnet(VpcId=self.id, CidrBlock=IPV4[1], Ipv6CidrBlock=IPV6[1])["Subnet"]["SubnetId"]
        self.group = hosts.ec2.create_security_group(GroupName="web", Description="web", VpcId=self.id)["GroupId"]
        self.web, self.client, self.far = self.start(0, self.group), self.start(0), self.start(1)
        self.server = subprocess.Popen(self.enter(self.web) + [PYTHON, "-c", SERVE, name], stdout=subprocess.PIPE, text=True)
        assert self.server.stdout.readline() == "ready\n"

    def start(self, number, group=None):
        return self.hosts.start(number, group=group, subnet=self.subnet)

    def enter(self, task):
        return ["nsenter", "-t", str(self.hosts.pid(task)), "-n"]

    def open_to(self, block):
        kind, key = ("Ipv6Ranges", "CidrIpv6") if ":" in block else ("IpRanges", "CidrIp")
        self.hosts.ec2.authorize_security_group_ingress(GroupId=self.group, IpPermissions=[
            {"IpProtocol": "-1", kind: [{key: block}]}])

    def asked(self, task, of=address):
        """Which VPC answers, or the name of the error."""
        return self.hosts.run(task, ASK, of(self.web) if callable(of) else of)

    def hold(self):
        """A connection of the client's from port 4000 that stays open, and what it was told."""
        held = subprocess.Popen(self.enter(self.client) + [PYTHON, "-c", ASK, address(self.web), "4000"], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True)
        return held, held.stdout.readline().strip()

    def says(self, source, word, of=address):
        self.hosts.run(self.client, SEND, source, of(self.web), word)

    def heard_before(self, last):
        """What the server has heard until that word. One that never hears it is ended, which ends the lines."""
        heard, end = [], threading.Timer(30 * PATIENCE, self.server.kill)
        end.start()
        try:
            for line in self.server.stdout:
                if line.strip() == last:
                    return heard
                heard.append(line.strip())
        finally:
            end.cancel()
        raise AssertionError(f"{self.name} has not heard {last!r}, but {heard}")

    def close(self):
        if self.server.poll() is None:
            self.server.kill()
            self.server.communicate()


@pytest.fixture
def vpcs(lab):
    with contextlib.ExitStack() as stack:
        hosts = Hosts(lab)
        yield [stack.enter_context(contextlib.closing(Vpc(hosts, name))) for name in ("first", "second")]


def tables(host):
    """Which table each of the tasks' links is routed by."""
    return {rule["iif"]: rule["table"] for rule in json.loads(host.run("ip", "-j", "rule"))
            if rule.get("iif", "").startswith("ve")}


def test_two_vpcs_with_the_same_addresses_on_one_host(vpcs):
    first, second = vpcs
    hosts = first.hosts
    for role in ("web", "client", "far"):
        mine, other = (address(getattr(vpc, role)) for vpc in vpcs)
        assert mine == other, "they are alike; addresses of IPv6 are given by chance"
    assert sorted(list(tables(hosts.lab.hosts[0]).values()).count(table) for table in set(tables(hosts.lab.hosts[0]).values())) \
        == [2, 2]

    # Groups are each one's own: nobody is let in, then only in the first.
    assert first.asked(first.client) == second.asked(second.client) == second.asked(second.far) == TIMEOUT
    first.open_to("0.0.0.0/0")
    first.open_to("::/0")
    for client in (first.client, first.far):
        wait_for("the rule to be in force", lambda client=client: first.asked(client) == "first")
    assert first.asked(first.client, six) == first.asked(first.far, six) == "first"
    assert second.asked(second.client) == second.asked(second.far) == second.asked(second.client, six) == TIMEOUT
    # Also where a flow that is alike in everything is established already.
    held, answer = first.hold()
    refused, error = second.hold()
    assert (answer, error) == ("first", TIMEOUT)
    refused.communicate()

    second.open_to("0.0.0.0/0")
    second.open_to("::/0")
    for client in (second.client, second.far):
        wait_for("the rule to be in force", lambda client=client: second.asked(client) == "second")
    assert second.asked(second.client, six) == second.asked(second.far, six) == "second"
    also_held, answer = second.hold()
    assert answer == "second" and held.poll() is None, "two flows with the same addresses and ports"
    for flow in (held, also_held):
        flow.communicate("\n", 60)

    # The host reaches the one that was there first.
    ask = [*hosts.lab.hosts[0].enter(), PYTHON, "-c", ASK]
    assert subprocess.run([*ask, address(first.web)], stdout=subprocess.PIPE, text=True, check=True).stdout == "first\n"

    # One VPC has an address that the other has not.
    only = first.start(0, first.group)
    assert second.asked(second.client, address(only)) in (TIMEOUT, "OSError")
    assert first.asked(first.client, address(only)) == "ConnectionRefusedError"

    # Nobody sends as another one: whether in its own VPC, in the other one, or in none.
    for vpc in vpcs:
        for source, of in ((address(vpc.far), address), (address(only), address), ("10.60.0.14", address), ("192.0.2.77", address),
                           (six(vpc.far), six), (six(only), six), ("fd00:60::e", six), ("2001:db8::7", six)):
            vpc.says(source, "false", of)
        vpc.says(address(vpc.client), "true")
        vpc.says(six(vpc.client), "last", six)
        assert vpc.heard_before("last") == ["true"], vpc.name

    # What becomes of one VPC is nothing to the other.
    first.close()
    hosts.stop(first.web, first.client, first.far, only)
    assert second.asked(second.client) == second.asked(second.far) == second.asked(second.far, six) == "second"
    second.close()
    hosts.stop(second.web, second.client, second.far)
    wait_for("the rules of routing to go", lambda: tables(hosts.lab.hosts[0]) == tables(hosts.lab.hosts[1]) == {})
