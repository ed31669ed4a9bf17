# SPDX-License-Identifier: Apache-2.0
"""Plugins whose links only this kernel has, under a runtime and in a chain with Debian's (conformance C17, C20)."""
import json

import pytest

from tests.lab.cnitool import Cnitool, Refused
from tests.lab.private_host import PrivateHost

BRANCH = {"type": "ecs-branch-eni", "trunkName": "up0", "branchVlanID": "101", "branchMACAddress": "02:1f:00:00:00:09",
          "interfaceType": "vlan", "ipAddresses": ["10.79.0.5/24"], "gatewayIPAddresses": ["10.79.0.1"]}
TUNNEL = {"type": "ecs-tunnel", "destinationIPAddress": "192.168.77.2", "vni": "a1", "destinationPort": "6081",
          "interfaceType": "geneve", "primary": True, "ipAddresses": ["10.79.0.5/24"], "gatewayIPAddress": "10.79.0.1"}
TUNING = {"type": "tuning", "sysctl": {"net.ipv4.conf.eth0.log_martians": "1"}}
NETNS = "/run/netns/one"


@pytest.fixture
def host(tmp_path):
    with PrivateHost(str(tmp_path)) as host:
        host.run("ip", "netns", "add", "one")
        yield host
        host.run("ip", "netns", "delete", "one")
        host.run("ip", "neighbour", "flush", "dev", "up0")  # whom the tunnel's packets were for


def tool_for(host, version, *plugins):
    host.write("/etc/cni/net.d/net.conflist", json.dumps({"cniVersion": version, "name": "net", "plugins": plugins}))
    return Cnitool(host)


def links(host):
    return {link["ifname"] for link in host.json("ip", "-n", "one", "-j", "link")}


@pytest.mark.parametrize("plugin", [BRANCH, TUNNEL], ids=["ecs-branch-eni", "ecs-tunnel"])
def test_under_a_runtime(host, plugin):
    """net-T64: C20, then C17."""
    tool, before = tool_for(host, "1.0.0", plugin, TUNING), links(host)
    result = tool.add("net", NETNS)
    assert result["cniVersion"] == "1.0.0" and result["interfaces"][0]["name"] == "eth0"
    assert host.run("ip", "netns", "exec", "one", "sysctl", "-n", "net.ipv4.conf.eth0.log_martians").stdout == "1\n"
    tool.check("net", NETNS)
    with pytest.raises(Refused):
        tool.add("net", NETNS)
    tool.check("net", NETNS)
    for _ in range(2):
        tool.delete("net", NETNS)
    assert links(host) == before

    tool = tool_for(host, "1.1.0", plugin)
    tool.status("net")
    tool.add("net", NETNS)
    tool.collect("net", [NETNS])
    tool.check("net", NETNS)
    tool.collect("net", [])
    assert links(host) == before
