# SPDX-License-Identifier: Apache-2.0
"""A kernel that was started with ipv6.disable=1."""
import contextlib
import json
import os
import socket
import subprocess

import pytest

from tests.e2e.test_bridge import PAGE, binding
from tests.e2e.test_first_task import WEB, address, get, main_pid
from tests.lab.berth import program

MAC = "02:00:00:00:00:01"


def test_there_is_no_ipv6():
    with pytest.raises(OSError, match="not supported by protocol"):
        socket.socket(socket.AF_INET6, socket.SOCK_STREAM)


def test_tasks_with_ipv4(lab):
    """net-T73: an IPv4 task with instance metadata blocked, and one of a bridge."""
    lab.image = lab.registry.image("web")
    lab.agent(AWS_CA_BUNDLE=None, ECS_AWSVPC_BLOCK_IMDS="true").start()
    arn, = lab.run(lab.define("own", [{"image": lab.image, "command": WEB}]))
    bridged, = lab.run(lab.define("bridged", mode="bridge", containers=[
        {"image": lab.image, "command": WEB, "portMappings": [{"containerPort": 80}]}]), awsvpc=False)
    assert get(f"http://{address(lab.wait_status(arn, 'RUNNING'))}/") == PAGE
    assert get(f"http://127.0.0.1:{binding(lab.wait_status(bridged, 'RUNNING'))['hostPort']}/") == PAGE
    routes = subprocess.run(["nsenter", "--net", "--target", str(main_pid(lab, arn)), "ip", "route"], check=True,
                            stdout=subprocess.PIPE, text=True).stdout
    assert "blackhole 169.254.169.254" in routes


@pytest.mark.lab(control_arguments=["--subnet", "10.98.0.0/24,ipv6=fd00:98::/64,id=subnet-both"])
def test_a_network_of_both_families(lab):
    """net-T73: of a VPC that has IPv6 elsewhere, the half that is of IPv4 is in force here."""
    subprocess.run(["ip", "address", "add", "198.51.100.1/32", "dev", "lo"], check=True)
    try:
        lab.image = lab.registry.image("web")
        agent = lab.agent(AWS_CA_BUNDLE=None, BERTH_NETWORK_ADDRESS="198.51.100.1").start()
        arn, = lab.run(lab.define("half", [{"image": lab.image, "command": WEB}]))
        assert get(f"http://{address(lab.wait_status(arn, 'RUNNING'))}/") == PAGE
        routes = subprocess.run(["ip", "route", "show", "type", "blackhole"], check=True, stdout=subprocess.PIPE, text=True).stdout
        assert "10.99.0.0/24" in routes and "10.98.0.0/24" in routes
        assert "do not reach each other" not in agent.daemon.text()
    finally:
        subprocess.run(["ip", "address", "del", "198.51.100.1/32", "dev", "lo"], check=True)


@contextlib.contextmanager
def namespace(name):
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        yield f"/run/netns/{name}"
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def plugin(command, netns, config, tmp_path):
    environment = {"PATH": os.environ["PATH"], "CNI_COMMAND": command, "CNI_CONTAINERID": "c", "CNI_IFNAME": "eth0",
                   "CNI_NETNS": netns, "CNI_PATH": os.path.dirname(program("ecs-eni")), "IPAM_DB_PATH": str(tmp_path)}
    done = subprocess.run([program(config["type"])], input=json.dumps(dict(config, cniVersion="1.1.0", name="net")),
                          env=environment, stdout=subprocess.PIPE, text=True, timeout=60)
    return done.returncode, json.loads(done.stdout or "{}")


ENI = {"type": "ecs-eni", "driver": "veth", "eni": "eni-1", "mac": MAC, "ip-addresses": ["10.0.1.9/24", "2001:db8::9/64"],
       "gateway-ip-addresses": ["10.0.1.1", "2001:db8::1"]}
BRIDGE = {"type": "ecs-bridge", "bridge": "berth7", "isDefaultGateway": True, "ipMasq": True,
          "ipam": {"type": "ecs-ipam", "ipv4-subnet": "10.89.0.0/24", "ipv6-subnet": "fd00:89::/64"}}


@pytest.mark.parametrize("config", [ENI, BRIDGE], ids=["ecs-eni", "ecs-bridge"])
def test_ipv6_is_refused_in_words(config, tmp_path):
    """net-T73: what cannot be had is named, and nothing is left of the attempt."""
    def links():
        return subprocess.run(["ip", "-br", "link"], stdout=subprocess.PIPE, text=True, check=True).stdout

    with namespace("six") as netns:
        before = links()
        code, answer = plugin("ADD", netns, config, tmp_path)
        assert code != 0
        assert "this host has no IPv6" in answer["msg"], answer
        assert plugin("DEL", netns, config, tmp_path)[0] == 0
        assert links() == before
