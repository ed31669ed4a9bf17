# SPDX-License-Identifier: Apache-2.0
"""Our CNI plugins in a chain with Debian's, as any CNI runtime runs them: one after the other, each given what the one
before answered."""
import json
import os
import socket
import subprocess
import threading
import time
import uuid

import pytest

from tests.lab import network
from tests.lab.berth import program

DEBIAN = "/usr/lib/cni"
OWN = os.path.dirname(program("ecs-bridge"))
MAPPINGS = [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]
BRIDGE = {"bridge": "cnitest0", "isDefaultGateway": True, "ipMasq": True, "hairpinMode": True}

OWN_BRIDGE = dict(BRIDGE, type="ecs-bridge", ipam={"type": "ecs-ipam", "ipv4-subnet": "10.89.0.0/24"})
DEBIAN_BRIDGE = dict(BRIDGE, type="bridge", ipam={"type": "host-local", "subnet": "10.89.0.0/24"})
OWN_BRIDGE_BY_HOST_LOCAL = dict(OWN_BRIDGE, ipam=DEBIAN_BRIDGE["ipam"])
OWN_PORTMAP = {"type": "ecs-portmap", "capabilities": {"portMappings": True}}
DEBIAN_PORTMAP = {"type": "portmap", "capabilities": {"portMappings": True}}
# What their own tests show is not shown again here: that they stand in a chain, and others behind them.
APPMESH = {"type": "aws-appmesh", "ignoredUID": "1337", "proxyEgressPort": "15001", "egressIgnoredPorts": ["8080"]}
SERVICECONNECT = {"type": "ecs-serviceconnect", "enableIPv4": True,
                  "ingressConfig": [{"interceptPort": 8081, "listenerPort": 15000}],
                  "egressConfig": {"listenerPort": 15001, "redirectMode": "nat", "vip": {"ipv4Cidr": "127.255.0.0/16"}}}
TUNING = {"type": "tuning", "sysctl": {"net.core.somaxconn": "500"}}
RATE = 40_000_000  # bits a second
BANDWIDTH = {"type": "bandwidth", "ingressRate": RATE, "ingressBurst": 800_000}

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="it needs root")


class Namespaces:
    """A host of its own, and a container in it: nothing of this machine's network is touched."""

    def __init__(self):
        self.name = f"cni-{uuid.uuid4().hex[:8]}"
        self.host, self.container = self.name + "-h", self.name + "-c"
        for name in (self.host, self.container):
            subprocess.run(["ip", "netns", "add", name], check=True)
            subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        self.on_host("ip", "link", "add", "up0", "type", "veth", "peer", "name", "up1")
        for link in ("up0", "up1"):
            self.on_host("ip", "link", "set", link, "up")
        self.on_host("ip", "addr", "add", "192.168.77.1/24", "dev", "up0")

    def on_host(self, *command, **kwargs):
        return subprocess.run(["ip", "netns", "exec", self.host, *command], check=True, capture_output=True, **kwargs)

    def links(self):
        return {line["ifname"] for line in json.loads(self.on_host("ip", "-j", "link").stdout)} - {"cnitest0"}

    def ports(self):
        rules = self.on_host("nft", "list", "ruleset").stdout.decode()
        return [line for line in rules.splitlines() if "8080" in line]

    def rules_of_container(self):
        return subprocess.run(["ip", "netns", "exec", self.container, "nft", "list", "ruleset"], check=True,
                              capture_output=True).stdout.decode()

    def close(self):
        for name in (self.container, self.host):
            subprocess.run(["ip", "netns", "del", name], check=True)


class Chain:
    """What libcni does for one attachment."""

    def __init__(self, namespaces, directory, version, plugins):
        self.namespaces, self.version, self.result = namespaces, version, None
        self.plugins = [json.loads(json.dumps(plugin)) for plugin in plugins]
        for plugin in self.plugins:
            if plugin.get("ipam", {}).get("type") == "host-local":
                plugin["ipam"]["dataDir"] = os.path.join(directory, "host-local")
        self.environment = {
            "CNI_CONTAINERID": "container-1", "CNI_IFNAME": "eth0", "CNI_PATH": f"{OWN}:{DEBIAN}",
            "CNI_NETNS": f"/run/netns/{namespaces.container}", "IPAM_DB_PATH": os.path.join(directory, "ipam"),
            "PATH": os.environ["PATH"]}

    def run(self, command, plugin, previous):
        config = dict(plugin, name="chain", cniVersion=self.version)
        if plugin.get("capabilities", {}).get("portMappings"):
            config["runtimeConfig"] = {"portMappings": MAPPINGS}
        if previous is not None:
            config["prevResult"] = previous
        directory = OWN if plugin["type"].startswith(("ecs-", "aws-")) else DEBIAN
        done = subprocess.run(
            ["ip", "netns", "exec", self.namespaces.host, os.path.join(directory, plugin["type"])],
            input=json.dumps(config, sort_keys=True).encode(), env=dict(self.environment, CNI_COMMAND=command),
            capture_output=True, timeout=60)
        assert done.returncode == 0, (plugin["type"], command, done.stdout, done.stderr)
        return json.loads(done.stdout) if command == "ADD" else None

    def add(self):
        for plugin in self.plugins:
            self.result = self.run("ADD", plugin, self.result)
        return self.result

    def check(self):
        for plugin in self.plugins:
            # Debian's (1.1) looks for IPv6 rules of a container that has no IPv6 address.
            if plugin["type"] != "portmap":
                self.run("CHECK", plugin, self.result)

    def delete(self):
        for plugin in reversed(self.plugins):
            self.run("DEL", plugin, self.result)


@pytest.fixture
def namespaces():
    both = Namespaces()
    yield both
    both.close()


def reaches(namespaces, client, address):
    """Whether a program in namespace `client` gets an answer from the container's port 80."""
    script = ("import socket, sys; s = socket.create_connection((sys.argv[1], 8080), 5); print(s.recv(8).decode())")
    with in_namespace(namespaces.container) as server:
        server.settimeout(10)
        asking = subprocess.Popen(["ip", "netns", "exec", client, "/usr/bin/python3", "-c", script, address],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            connection, _ = server.accept()
            connection.sendall(b"answer")
            connection.close()
        except TimeoutError:
            pass
        return asking.communicate(timeout=30)[0].strip() == b"answer"


def in_namespace(name):
    """A listening socket that lives in another namespace."""
    return network.inside(f"/run/netns/{name}", lambda: socket.create_server(("0.0.0.0", 80)))


@pytest.mark.parametrize("version", ["0.4.0", "1.0.0"])
@pytest.mark.parametrize("plugins", [
    pytest.param([OWN_BRIDGE, OWN_PORTMAP, TUNING], id="own-bridge-own-portmap-tuning"),
    pytest.param([OWN_BRIDGE, DEBIAN_PORTMAP, TUNING, BANDWIDTH], id="own-bridge-debians-portmap-tuning-bandwidth"),
    pytest.param([DEBIAN_BRIDGE, OWN_PORTMAP], id="debians-bridge-own-portmap"),
    pytest.param([DEBIAN_BRIDGE, APPMESH, SERVICECONNECT, OWN_PORTMAP, TUNING], id="debians-bridge-mesh-own-portmap-tuning"),
    pytest.param([OWN_BRIDGE_BY_HOST_LOCAL, OWN_PORTMAP], id="host-local"),
])
def test_plugins_of_ours_and_of_others_stand_in_one_chain(namespaces, tmp_path, version, plugins):
    """net-T67, conformance C6, C11, C18, C20."""
    before = namespaces.links()
    chain = Chain(namespaces, str(tmp_path), version, plugins)
    result = chain.add()
    assert result["cniVersion"] == version
    assert result["ips"][0]["address"] == "10.89.0.2/24" and result["ips"][0]["gateway"] == "10.89.0.1"
    assert result["interfaces"][result["ips"][0]["interface"]]["name"] == "eth0"
    for client, address in ((namespaces.host, "192.168.77.1"), (namespaces.host, "127.0.0.1"),
                            (namespaces.container, "192.168.77.1")):
        assert reaches(namespaces, client, address), (client, address)
    chain.check()
    chain.delete()
    chain.delete()
    assert namespaces.links() == before
    assert OWN_PORTMAP not in plugins or not namespaces.ports()
    assert APPMESH not in plugins or not namespaces.rules_of_container()


def received(name):
    """Bytes that have come to a container, headers included, and when that was."""
    link, = json.loads(subprocess.run(["ip", "-n", name, "-j", "-s", "link", "show", "eth0"], check=True, capture_output=True).stdout)
    return link["stats64"]["rx"]["bytes"], time.monotonic()


@pytest.mark.parametrize("plugins", [
    pytest.param([OWN_BRIDGE, BANDWIDTH], id="own-bridge"),
    pytest.param([OWN_BRIDGE, OWN_PORTMAP, BANDWIDTH], id="own-bridge-own-portmap"),
])
def test_a_container_gets_what_its_bandwidth_allows(namespaces, tmp_path, plugins):
    """net-T61: shaped within 5 %, by Debian's plugin on our link."""
    chain = Chain(namespaces, str(tmp_path), "1.0.0", plugins)
    address = chain.add()["ips"][0]["address"].split("/")[0]
    with in_namespace(namespaces.container) as server:
        sender = network.inside(f"/run/netns/{namespaces.host}", lambda: socket.create_connection((address, 80), 5))
        connection, _ = server.accept()

    def drain():
        while connection.recv(1 << 20):
            pass

    def fill():
        try:
            while True:
                sender.send(bytes(1 << 16))
        except OSError:
            pass  # it was told to end

    threads = [threading.Thread(target=drain), threading.Thread(target=fill)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)  # in which the burst is used up
    rates = []
    while len(rates) < 5:  # on a busy machine the sender has its breaks
        (before, began), _, (after, ended) = received(namespaces.container), time.sleep(2), received(namespaces.container)
        rates.append((after - before) * 8 / (ended - began))
        if rates[-1] > 0.95 * RATE:
            break
    sender.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join()
    sender.close()
    connection.close()
    assert max(rates) == pytest.approx(RATE, rel=0.05)
    chain.delete()
