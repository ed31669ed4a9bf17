# SPDX-License-Identifier: Apache-2.0
"""Tasks in the very shape that they have on EC2: ecs-eth0 on the host's bridge leads to the agent, which knows them by it."""
import glob
import json
import os
import socket
import subprocess

import pytest

from tests.e2e.test_endpoints import ROLE, Started, ask, define, document, inside
from tests.e2e.test_first_task import FOREVER, address
from tests.lab.berth import environment, program, wait_for

ROUTE = "10.44.0.0/16"


def init(agent, action):
    """berth-init, on the network of the test and with an /etc and a /var/log of its own."""
    private = ("mkdir -p $0/upper $0/work && mount -t overlay overlay -o lowerdir=/etc,upperdir=$0/upper,workdir=$0/work "
               "/etc && mount -t tmpfs tmpfs /var/log && exec \"$@\"")
    done = subprocess.run(["unshare", "-m", "sh", "-c", private, os.path.join(agent.directory, "init"), program("berth-init"),
                           action], env=environment(**agent.settings), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=60)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def ec2(lab):
    """A host with an agent that gives its tasks this shape, and what berth-init makes of a host."""
    lab.image = lab.registry.image("web")
    agent = lab.agent(BERTH_TASK_NETWORK_SHAPE="ec2", ECS_AWSVPC_BLOCK_IMDS="true",
                      ECS_AWSVPC_ADDITIONAL_LOCAL_ROUTES=json.dumps([ROUTE]))
    init(agent, "pre-start")
    agent.start()
    yield lab
    init(agent, "post-stop")


def ip(pid, *arguments):
    return inside(pid, "ip", *arguments)


def local_address(started):
    return ip(started.pid, "-4", "-o", "address", "show", "dev", "ecs-eth0").split()[3]


def leases(lab):
    return sorted(os.path.basename(path) for path in glob.glob(f"{lab.directory}/*/run/ipam/*/leases/*"))


def connects(pid, to, port=9, source=""):
    """How an attempt ends: an errno's name; "OK". Within a host nothing takes half a second."""
    script = ("import errno, socket, sys\ns = socket.socket()\ns.settimeout(0.5)\ntry:\n"
              "    s.bind((sys.argv[3], 0))\n    s.connect((sys.argv[1], int(sys.argv[2])))\n    print('OK')\n"
              "except TimeoutError:\n    print('ETIMEDOUT')\nexcept OSError as e:\n    print(errno.errorcode[e.errno])\n")
    if pid is None:
        return subprocess.run(["/usr/bin/python3", "-c", script, to, str(port), source], stdout=subprocess.PIPE, text=True,
                              check=True).stdout.strip()
    return inside(pid, "/usr/bin/python3", "-c", script, to, str(port), source).strip()


def mac_of(local):
    return "0a:58:" + ":".join(f"{int(part):02x}" for part in local[:-3].split("."))


def look_at_the_namespace(started):
    """net-T15, net-T18, net-T22: every address and every route of it."""
    local, own = local_address(started), address(started.task)
    assert local.startswith("169.254.172.") and local.endswith("/22")
    links = {link["ifname"]: link for link in json.loads(ip(started.pid, "-j", "address"))}
    assert set(links) == {"lo", "eth0", "ecs-eth0"}
    assert links["ecs-eth0"]["address"] == mac_of(local)
    assert links["ecs-eth0"]["mtu"] == 1500
    addresses = {name: [f"{found['local']}/{found['prefixlen']}" for found in link["addr_info"] if found["family"] == "inet"]
                 for name, link in links.items()}
    assert addresses == {"lo": ["127.0.0.1/8"], "eth0": [f"{own}/24"], "ecs-eth0": [local]}
    assert not [found for found in links["ecs-eth0"]["addr_info"] if found["family"] == "inet6"]
    routes = {line.strip().replace(" proto static", "") for line in ip(started.pid, "-4", "route").splitlines()}
    assert routes == {
        "default via 10.99.0.1 dev eth0 onlink", f"10.99.0.0/24 dev eth0 proto kernel scope link src {own}",
        "169.254.170.2 via 169.254.172.1 dev ecs-eth0", "169.254.172.1 dev ecs-eth0 scope link",
        f"{ROUTE} via 169.254.172.1 dev ecs-eth0", "blackhole 169.254.169.254"}
    assert connects(started.pid, "169.254.169.254", 80) == "EINVAL"


def reach_the_host_and_not_each_other(first, second):
    """net-T19: whatever the reverse path filter; not by the bridge, and not by the host either."""
    theirs = local_address(second)[:-3]
    for value in ("0", "1"):
        for name in ("all", "ecs-eth0"):
            inside(first.pid, "sysctl", "-qw", f"net.ipv4.conf.{name}.rp_filter={value}")
        assert connects(first.pid, "169.254.172.1") == "ECONNREFUSED"
        assert connects(None, local_address(first)[:-3]) == "ECONNREFUSED"
    assert "169.254.172.0/22" not in ip(first.pid, "route")
    assert connects(first.pid, theirs) == "ETIMEDOUT"
    for way in (["dev", "ecs-eth0"], ["via", "169.254.172.1", "dev", "ecs-eth0"]):
        ip(first.pid, "route", "replace", f"{theirs}/32", *way)
        assert connects(first.pid, theirs) in ("ETIMEDOUT", "EHOSTUNREACH")
    ip(first.pid, "route", "delete", f"{theirs}/32")


def heard_by_the_host(pid, *sources):
    """From which of these addresses of the task a packet comes to the host; the last one is its own."""
    script = ("import socket, sys\nfor source in sys.argv[1:]:\n    s = socket.socket(type=socket.SOCK_DGRAM)\n"
              "    s.bind((source, 0))\n    s.sendto(source.encode(), ('169.254.172.1', 4000))\n")
    with socket.socket(type=socket.SOCK_DGRAM) as ear:
        ear.bind(("169.254.172.1", 4000))
        ear.settimeout(10)
        inside(pid, "/usr/bin/python3", "-c", script, *sources)
        heard = [ear.recv(100).decode()]
        while heard[-1] != sources[-1]:
            heard.append(ear.recv(100).decode())
    return heard


def ask_for_oneself_alone(first, second):
    """net-T21: each is told of itself, and neither can ask as the other."""
    for started, other in ((first, second), (second, first)):
        assert document(started.pid, f"{started.endpoint}/task")["TaskARN"] == started.arn
        assert document(started.pid, started.credentials)["RoleArn"] == ROLE
        assert ask(started.pid, other.endpoint)[0] == 404
        assert ask(started.pid, other.credentials)[0] == 400

    theirs = local_address(second)
    ip(first.pid, "address", "add", f"{theirs[:-3]}/32", "dev", "ecs-eth0")
    assert connects(first.pid, "169.254.170.2", 80) == "OK", "by its own address"
    own = local_address(first)[:-3]
    assert heard_by_the_host(first.pid, theirs[:-3], own) == [own], "what has a foreign address is dropped"
    assert connects(first.pid, "169.254.170.2", 80, theirs[:-3]) == "ETIMEDOUT"
    # It says that it is where the other's address is, which the host believes of nobody.
    subprocess.run(["ip", "neighbour", "flush", "dev", "ecs-bridge"], check=True)
    assert connects(first.pid, "169.254.170.2", 80, theirs[:-3]) == "ETIMEDOUT"
    ip(first.pid, "link", "set", "ecs-eth0", "address", mac_of(theirs))
    assert connects(first.pid, "169.254.170.2", 80, theirs[:-3]) == "ETIMEDOUT"
    assert connects(first.pid, "169.254.170.2", 80) == "ETIMEDOUT", "what has a foreign MAC is dropped"
    assert document(second.pid, second.credentials)["RoleArn"] == ROLE


def test_two_tasks_have_the_network_of_ec2(ec2):
    definition = define(ec2, FOREVER)
    first, second = Started(ec2, definition), Started(ec2, definition)
    look_at_the_namespace(first)
    reach_the_host_and_not_each_other(first, second)
    ask_for_oneself_alone(first, second)


def test_an_address_is_known_over_a_restart_and_given_back_at_the_end(ec2):
    agent = ec2.agents[0]
    started = Started(ec2, define(ec2, FOREVER))
    local = local_address(started)[:-3]
    agent.kill()
    # What the task has been given counts, whatever new ones are given.
    agent.daemon.env["BERTH_TASK_NETWORK_SHAPE"] = "berth"
    agent.daemon.env["BERTH_CRASH_POINT"] = "act-after TEAR_DOWN_NETWORK#1"
    agent.start()
    assert document(started.pid, f"{started.endpoint}/task")["TaskARN"] == started.arn
    wait_for("the credentials to be sent again", lambda: ask(started.pid, started.credentials)[0] == 200)
    ec2.stop_task(started.arn)
    wait_for("the agent to die while it takes the network away", lambda: not agent.daemon.alive())
    # The task has not stopped yet: its address is still nobody else's.
    assert leases(ec2) == [local]
    agent.daemon.env["BERTH_CRASH_POINT"] = ""
    agent.start()
    ec2.wait_status(started.arn, "STOPPED")
    assert leases(ec2) == []
    assert "169.254.172" not in subprocess.run(["ip", "neighbour", "show", "nud", "permanent"], stdout=subprocess.PIPE,
                                               text=True, check=True).stdout
