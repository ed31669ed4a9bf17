# SPDX-License-Identifier: Apache-2.0
"""The kernel refuses any one message of what a plugin asks it for, also in the middle of a batch (tests/faults)."""
import contextlib
import json
import os

import pytest

from tests.lab import network
from tests.lab.berth import BUILD, sanitized, wait_for
from tests.lab.private_host import PrivateHost

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="it needs root")

REFUSE = os.path.join(BUILD, "tests", "librefuse-netlink.so")
LOG = "/run/refused"
STEP = 3 if sanitized() else 1  # the sanitizers make every call slow
MESSAGES_MAX = 1000  # of one ADD
NETNS = "/run/netns/container"
MAC = "02:1f:00:00:00:07"
ENI = {"type": "ecs-eni", "eni": "eni-1", "mac": MAC, "ip-addresses": ["10.99.0.7/24", "fd00:99::7/64"],
       "gateway-ip-addresses": ["10.99.0.1", "fd00:99::1"], "block-instance-metadata": True,
       "loopback-addresses": ["169.254.170.2/32"]}
BRIDGE = {"type": "ecs-bridge", "bridge": "berth7", "isDefaultGateway": True, "ipMasq": True, "hairpinMode": True,
          "ipam": {"type": "ecs-ipam", "ipv4-subnet": "10.89.0.0/24", "ipv6-subnet": "fd00:89::/64"}}
PORTMAP = {"type": "ecs-portmap", "runtimeConfig": {"portMappings": [
    {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}, {"hostPort": 8081, "containerPort": 53, "protocol": "udp"}]}}
APPMESH = {"type": "aws-appmesh", "ignoredUID": "1337", "proxyIngressPort": "15000", "proxyEgressPort": "15001",
           "appPorts": ["8080", "8081"], "egressIgnoredPorts": ["22"], "egressIgnoredIPs": ["169.254.170.2", "fd00:9:8::/64"],
           "enableIPv6": True}
RELAY = {"type": "ecs-serviceconnect", "enableIPv4": True, "enableIPv6": True,
         "ingressConfig": [{"interceptPort": 8080, "listenerPort": 15002}, {"listenerPort": 15003}],
         "egressConfig": {"listenerPort": 15004, "redirectMode": "nat",
                          "vip": {"ipv4Cidr": "127.255.0.0/16", "ipv6Cidr": "fd00:ec2:f0::/48"}}}


class Place:
    def __init__(self, host, plugins):
        self.host, self.plugins = host, plugins
        self.results = []

    def run(self, command, plugin, previous=None, refuse=None):
        config = {**plugin, "name": "net", "cniVersion": "1.1.0", **({"prevResult": previous} if previous else {})}
        variables = {"CNI_COMMAND": command, "CNI_CONTAINERID": "container", "CNI_NETNS": NETNS, "CNI_IFNAME": "eth0",
                     "CNI_PATH": "/opt/cni/bin"}
        if refuse is not None:
            variables.update(LD_PRELOAD=REFUSE, REFUSE_NETLINK=str(refuse), REFUSE_NETLINK_LOG=LOG,
                             ASAN_OPTIONS="verify_asan_link_order=0")
        return self.host.run("env", "-i", *(f"{name}={value}" for name, value in variables.items()),
                             f"/opt/cni/bin/{plugin['type']}", input=json.dumps(config), check=False)

    def refused(self):
        """What the last call was refused; None when it asked for less than that."""
        done = self.host.run("cat", LOG, check=False)
        self.host.run("rm", "-f", LOG)
        return done.stdout if done.returncode == 0 else None

    def before_last(self):
        """What comes before the plugin that is looked at: its result."""
        previous = None
        for plugin in self.plugins[:-1]:
            previous = json.loads(self.run("ADD", plugin, previous).stdout)
        return previous

    def census(self):
        root = f"/proc/{self.host.holder.pid}/root"
        leases = {path for path in self.host.names("/run/berth") if "/leases/" in path or "/owners/" in path}
        found = (self.host.inside(network.everything) | leases |
                 {f"inside: {item}" for item in network.inside(root + NETNS, network.everything)})
        return {item for item in found if not item.startswith("neighbour fe80::")}  # which the bridge has heard

    def forget_host(self, and_bridge=True):
        """What plugins make once for all containers."""
        self.host.run("nft", "flush", "ruleset")
        if and_bridge:
            self.host.run("ip", "link", "delete", "berth7", check=False)


@pytest.fixture
def host(tmp_path):
    with PrivateHost(str(tmp_path)) as host:
        host.run("ip", "netns", "add", "container")
        host.run("ip", "-n", "container", "link", "set", "lo", "up")
        yield host
        host.run("ip", "netns", "delete", "container")


def settled(place, before):
    """What is there now and was not before; the kernel takes a link away some time after it was told."""
    left = set()

    def nothing():
        nonlocal left
        left = place.census() - before
        return not left
    with contextlib.suppress(TimeoutError):
        wait_for("all to be as before", nothing, every=0.05)
    return left


@pytest.mark.parametrize("plugins", [
    pytest.param([ENI | {"driver": "veth"}], id="eni-veth"),
    pytest.param([ENI | {"driver": "eni"}], id="eni-device"),
    pytest.param([BRIDGE], id="bridge"),
    pytest.param([BRIDGE, PORTMAP], id="portmap"),
    pytest.param([BRIDGE, APPMESH], id="appmesh"),
    pytest.param([BRIDGE, RELAY], id="serviceconnect-nat"),
    pytest.param([BRIDGE, RELAY | {"egressConfig": RELAY["egressConfig"] | {"redirectMode": "tproxy"}}],
                 id="serviceconnect-tproxy"),
])
def test_whatever_is_refused_all_is_undone(host, plugins):
    """
    net-T28, conformance C10: an ADD that fails leaves nothing; one that succeeds all the same has made everything. Of
    ecs-branch-eni and ecs-tunnel, whose links not every kernel has: tests/unit/cni-plugins.
    """
    place, plugin = Place(host, plugins), plugins[-1]
    if plugin.get("driver") == "eni":
        host.run("ip", "link", "add", "nic0", "address", MAC, "type", "veth", "peer", "name", "nic1")
        for link in ("nic0", "nic1"):
            host.run("sysctl", "-q", "-w", f"net.ipv6.conf.{link}.disable_ipv6=1")
        host.run("ip", "link", "set", "nic1", "up")
    previous = place.before_last()
    # The host's part is there from here on.
    place.run("ADD", plugin, previous)
    assert place.run("DEL", plugin, previous).returncode == 0
    before, failed = place.census(), 0
    for number in range(0, MESSAGES_MAX, STEP):
        done = place.run("ADD", plugin, previous, refuse=number)
        what = place.refused()
        if done.returncode:
            failed += 1
            assert json.loads(done.stdout)["code"] >= 1, done
            assert not settled(place, before), (number, what, done.stdout)
        else:
            assert place.run("CHECK", plugin, json.loads(done.stdout)).returncode == 0, (number, what)
        # It may come in any state, and may be refused itself.
        place.run("DEL", plugin, previous, refuse=number)
        place.refused()
        assert place.run("DEL", plugin, previous).returncode == 0, (number, what)
        assert not settled(place, before), (number, what)
        if what is None:
            break
    assert what is None
    assert failed >= number // STEP * 2 // 3 and number > 3, (failed, number)
    for each in reversed(plugins[:-1]):
        place.run("DEL", each, previous)
    place.forget_host()
    host.run("ip", "link", "delete", "nic1", check=False)


@pytest.mark.parametrize("plugins", [pytest.param([BRIDGE], id="bridge"), pytest.param([BRIDGE, PORTMAP], id="portmap")])
def test_what_is_the_hosts_is_completed_by_the_next(host, plugins):
    """The part that stays for all containers is made by an ADD that is refused; a second one must not need it whole."""
    place, plugin = Place(host, plugins), plugins[-1]
    before, previous = place.census(), place.before_last()
    for number in range(0, MESSAGES_MAX, STEP):
        place.run("ADD", plugin, previous, refuse=number)
        what = place.refused()
        assert place.run("DEL", plugin, previous).returncode == 0, (number, what)
        done = place.run("ADD", plugin, previous)
        assert done.returncode == 0, (number, what, done.stdout)
        assert place.run("CHECK", plugin, json.loads(done.stdout)).returncode == 0, (number, what)
        assert place.run("DEL", plugin, previous).returncode == 0, (number, what)
        place.forget_host(and_bridge=plugin is BRIDGE)
        if what is None:
            break
    assert what is None
    for each in reversed(plugins[:-1]):
        place.run("DEL", each, previous)
    place.forget_host()
    assert number > 10 and not settled(place, before)
