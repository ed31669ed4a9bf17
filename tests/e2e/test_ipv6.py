# SPDX-License-Identifier: Apache-2.0
"""IPv6 as the programs of real tasks have it: beside IPv4, and alone."""
import ipaddress
import os
import subprocess

import pytest

from tests.e2e.test_device_tasks import announced, devices, moving  # noqa: F401  (fixtures, too)
from tests.e2e.test_endpoints import PYTHON, Started, document, inside
from tests.e2e.test_first_task import FOREVER, WEB, main_pid
from tests.e2e.test_security_groups import ANSWER, ASK, PORT, TIMEOUT, VPC
from tests.lab.berth import wait_for

BOTH, ALONE = "subnet-berth", "subnet-six"
PREFIX, PREFIX_ALONE = "fd00:99:1:2::/64", "fd00:99:1:3::/64"
DISABLE = "/proc/sys/net/ipv6/conf/all/disable_ipv6"
NETWORK = {"subnet": f"10.99.0.0/24,ipv6={PREFIX}",
           "control_arguments": ["--subnet", f"{PREFIX_ALONE},id={ALONE}", "--subnet", "10.98.0.0/24,id=subnet-four"]}

# Prints who sends it something.
LISTEN = """
import socket
made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
made.bind(("::", 4321))
made.settimeout(30)
print("ready", flush=True)
while True:
    print(made.recvfrom(99)[1][0], flush=True)
"""
# Sends with a source address of one's choice.
SEND = """
import socket, sys
made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
made.setsockopt(socket.IPPROTO_IPV6, 78, 1)  # IPV6_FREEBIND
made.bind((sys.argv[1], 0))
made.sendto(b"x", (sys.argv[2], 4321))
"""
# Is a router of the link, once.
ADVERTISE = """
import socket, struct, sys
made = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
link = socket.if_nametoindex(sys.argv[1])
made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, link)
made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
made.bind(("fe80::1", 0, 0, link))
made.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0), ("ff02::1", 0, 0, link))
"""
ERRNO = """
import errno, socket, sys
made = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
made.settimeout(5)
print(errno.errorcode.get(made.connect_ex((sys.argv[1], 80)), "open"))
"""


def start(host, command, subnet=BOTH, group=None):
    """A task in that subnet that runs."""
    configuration = {"subnets": [subnet], **({"securityGroups": [group]} if group else {})}
    definition = host.define("six", [{"image": host.image, "command": command}])
    return host.wait_ready(host.run(definition, networkConfiguration={"awsvpcConfiguration": configuration})[0])


def details(task):
    return {detail["name"]: detail["value"] for detail in task["attachments"][0]["details"]}


def six(task):
    return details(task)["ipv6Address"]


def asked(host, task, to):
    """What a task gets of the web server at the address, or the name of the error."""
    return inside(main_pid(host, task["taskArn"]), PYTHON, "-c", ASK, to, str(PORT)).strip()


def asked_by_host(to):
    return subprocess.run([PYTHON, "-c", ASK, to, str(PORT)], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def lines(task, host, *command):
    return [" ".join(line.split()) for line in inside(main_pid(host, task["taskArn"]), *command).splitlines()]


@pytest.mark.lab(**NETWORK)
def test_a_task_of_both_families(host):
    web, client = start(host, WEB), start(host, FOREVER)
    assert ipaddress.ip_address(six(web)) in ipaddress.ip_network(PREFIX)
    interface, = web["containers"][0]["networkInterfaces"]
    assert interface["ipv6Address"] == six(web) and interface["privateIpv4Address"] == details(web)["privateIPv4Address"]
    for to in (six(web), details(web)["privateIPv4Address"]):
        assert asked(host, client, to) == ANSWER and asked_by_host(to) == ANSWER
    # No address is still being looked at for a second owner: what is sent first arrives.
    addresses = lines(client, host, "ip", "-6", "addr", "show", "dev", "eth0", "scope", "global")
    assert any(f"inet6 {six(client)}/128" in line and "tentative" not in line for line in addresses)
    assert "default via fe80::1 dev eth0" in " ".join(lines(client, host, "ip", "-6", "route"))

    started = Started(host, host.define("six", [{"image": host.image, "command": FOREVER}]))
    network, = document(started.pid, started.endpoint)["Networks"]
    address = six(started.task)
    assert network["IPv6Addresses"] == [address] and network["IPv6SubnetCIDRBlock"] == PREFIX
    assert network["IPv4SubnetCIDRBlock"] == "10.99.0.0/24" and "SubnetGatewayIpv6Address" not in network


@pytest.mark.lab(**NETWORK)
def test_groups_hold_for_both_families(host):
    ec2 = host.control.boto("ec2")
    web_group, client_group = (ec2.create_security_group(GroupName=name, Description=name, VpcId=VPC)["GroupId"]
                               for name in ("web", "client"))
    # One task of both families, one of IPv6 alone: the group is one.
    web = start(host, WEB, group=web_group)
    clients = [start(host, FOREVER, subnet, client_group) for subnet in (BOTH, ALONE)]
    other = start(host, FOREVER, ALONE)

    def let_in(**end):
        return {"GroupId": web_group, "IpPermissions": [{"IpProtocol": "-1", **end}]}
    assert {asked(host, client, six(web)) for client in clients} == {TIMEOUT} == {asked_by_host(six(web))}
    ec2.authorize_security_group_ingress(**let_in(UserIdGroupPairs=[{"GroupId": client_group}]))
    for client in clients:
        wait_for("the rule to be in force", lambda client=client: asked(host, client, six(web)) == ANSWER)
    assert asked(host, other, six(web)) == TIMEOUT, "it is no member"
    assert asked_by_host(six(web)) == TIMEOUT

    # Who speaks with a member's address is not believed: what the member says arrives, what was said before does not.
    with subprocess.Popen(["nsenter", "-t", str(main_pid(host, web["taskArn"])), "-n", PYTHON, "-c", LISTEN],
                          stdout=subprocess.PIPE, text=True) as listener:
        try:
            assert listener.stdout.readline() == "ready\n"
            for task, source in ((other, clients[0]), (other, other), (clients[1], clients[0]), (clients[1], clients[1])):
                inside(main_pid(host, task["taskArn"]), PYTHON, "-c", SEND, six(source), six(web))
            assert listener.stdout.readline().strip() == six(clients[1])
        finally:
            listener.kill()
    ec2.authorize_security_group_ingress(**let_in(Ipv6Ranges=[{"CidrIpv6": PREFIX_ALONE}]))
    wait_for("the rule to be in force", lambda: asked(host, other, six(web)) == ANSWER)


@pytest.mark.lab(**NETWORK)
def test_a_task_of_ipv6_alone(lab):
    lab.image = lab.registry.image("web")
    lab.agent(AWS_CA_BUNDLE=None, ECS_AWSVPC_BLOCK_IMDS="true").start()
    web = start(lab, WEB, ALONE)
    address, name = six(web), details(web)["privateDnsName"]
    assert ipaddress.ip_address(address) in ipaddress.ip_network(PREFIX_ALONE)
    assert "privateIPv4Address" not in details(web)
    interface, = web["containers"][0]["networkInterfaces"]
    assert interface["ipv6Address"] == address and "privateIpv4Address" not in interface

    assert lines(web, lab, "ip", "-4", "addr", "show", "dev", "eth0") == []
    assert lines(web, lab, "ip", "-4", "route") == ["blackhole 169.254.169.254 proto static"]
    assert "default via fe80::1 dev eth0 proto static" in " ".join(lines(web, lab, "ip", "-6", "route"))
    root = f"/proc/{main_pid(lab, web['taskArn'])}/root/etc/"
    with open(root + "hosts") as hosts, open(root + "resolv.conf") as resolv:
        assert f"{address}\t{name}" in hosts.read().splitlines()
        assert "nameserver fd00:99:1:3::2" in resolv.read().splitlines()
    assert asked_by_host(address) == ANSWER
    assert asked(lab, start(lab, FOREVER), address) == ANSWER, "from one of both families"
    for metadata in ("169.254.169.254", "fd00:ec2::254"):
        assert inside(main_pid(lab, web["taskArn"]), PYTHON, "-c", ERRNO, metadata).strip() == "EINVAL"

    # The metadata endpoint is at its IPv4 address all the same.
    started = Started(lab, lab.define("six", [{"image": lab.image, "command": FOREVER}]),
                      networkConfiguration={"awsvpcConfiguration": {"subnets": [ALONE]}})
    network, = document(started.pid, started.endpoint)["Networks"]
    assert network["IPv6Addresses"] == [six(started.task)] and network["IPv6SubnetCIDRBlock"] == PREFIX_ALONE
    assert network["SubnetGatewayIpv6Address"] == "fd00:99:1:3::1/64"
    assert not [key for key in network if "v4" in key]
    assert document(started.pid, started.endpoint + "/task")["TaskARN"] == started.arn


@pytest.mark.lab(**NETWORK)
def test_a_killed_agent_leaves_ipv6_as_it_is(host):
    agent = host.agents[0]
    web = start(host, WEB, ALONE)
    agent.kill()
    assert asked_by_host(six(web)) == ANSWER
    agent.start()
    host.stop_task(web["taskArn"])
    assert host.wait_status(web["taskArn"], "STOPPED")["stoppedReason"]
    routes = subprocess.run(["ip", "-6", "route"], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert six(web) not in routes


@pytest.fixture
def switched_off():
    """Calls switched_off("1"); at the end the host has IPv6 as before."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        pytest.skip("only a network of the tests' own (-n 1) is switched about")

    def write(value):
        with open(DISABLE, "w") as file:
            file.write(value)
    with open(DISABLE) as file:
        before = file.read()
    yield write
    write(before)


@pytest.mark.lab(**NETWORK)
def test_a_host_whose_ipv6_is_switched_off(lab, switched_off):
    lab.image = lab.registry.image("web")
    lab.agent(AWS_CA_BUNDLE=None, ECS_AWSVPC_BLOCK_IMDS="true").start()
    switched_off("1")
    definition = lab.define("six", [{"image": lab.image, "command": FOREVER}])
    for subnet in (BOTH, ALONE):
        arn = lab.run(definition, networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet]}})[0]
        reason = lab.wait_status(arn, "STOPPED")["stoppedReason"]
        assert "ContainerNetworkingError" in reason and "IPv6 is switched off on this host" in reason
    web = start(lab, WEB, "subnet-four")
    assert asked_by_host(details(web)["privateIPv4Address"]) == ANSWER
    assert inside(main_pid(lab, web["taskArn"]), PYTHON, "-c", ERRNO, "169.254.169.254").strip() == "EINVAL"

    # An agent that starts then does not offer what the host has not.
    lab.control.call("CreateCluster", clusterName="off")
    lab.agent(ECS_CLUSTER="off").start()
    instance, = lab.instances("off")
    names = {attribute["name"] for attribute in instance["attributes"]}
    assert "ecs.capability.task-eni" in names and "ecs.capability.task-eni.ipv6" not in names
    answer = lab.control.call("RunTask", cluster="off", taskDefinition=definition,
                              networkConfiguration={"awsvpcConfiguration": {"subnets": [BOTH]}})
    assert answer["tasks"] == [] and answer["failures"][0]["reason"] == "ATTRIBUTE"


@pytest.mark.lab(**NETWORK)
def test_devices_of_both_families_and_of_ipv6_alone(moving, devices):  # noqa: F811
    """net-T16: the way out of IPv6 is learned where there is IPv4. net-T17, beside the unit test: else it is static."""
    definition = moving.define("six", [{"image": moving.image, "command": WEB}])
    tasks, routers = {}, {}
    for subnet, router in ((BOTH, "fe80::1"), (ALONE, "fd00:99:1:3::1")):
        arn = moving.run(definition, networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet]}})[0]
        mac = announced(moving, arn)
        devices.plug(mac)
        routers[subnet] = devices.names[mac] + "p"
        for command in (f"link set {routers[subnet]} up", f"addr add {router}/64 dev {routers[subnet]} nodad"):
            subprocess.run(["ip", *command.split()], check=True)
        tasks[subnet] = moving.wait_ready(arn)

    def addresses(subnet):
        return [line.split()[1] for line in lines(tasks[subnet], moving, "ip", "addr", "show", "dev", "eth0", "scope", "global")
                if line.startswith("inet")]

    def ways_out(subnet):
        return [line for line in lines(tasks[subnet], moving, "ip", "-6", "route", "show", "default") if line]
    both, alone = details(tasks[BOTH]), details(tasks[ALONE])
    assert addresses(BOTH) == [f"{both['privateIPv4Address']}/24", f"{both['ipv6Address']}/64"]
    assert addresses(ALONE) == [f"{alone['ipv6Address']}/64"]
    assert ways_out(BOTH) == []
    assert "default via fd00:99:1:3::1 dev eth0 proto static" in ways_out(ALONE)[0]
    assert asked_by_host(alone["ipv6Address"]) == ANSWER

    def advertised():
        subprocess.run([PYTHON, "-c", ADVERTISE, routers[BOTH]], check=True)
        return ways_out(BOTH)
    learned, = wait_for("the way out to be learned", advertised)
    assert learned.startswith("default via fe80::1 dev eth0 proto ra")
