# SPDX-License-Identifier: Apache-2.0
"""
net-T64: the conformance list of CNI, C1 to C20, for each of our binaries, as a runtime sees them. Elsewhere:
what C10 demands at each step: test_cni_refusals.py, and test_live_branch_eni.c and test_live_tunnel.c of tests/unit/cni-plugins;
C20: test_cni_callers.py and test_cni_chain.py;
C16 with a hundred namespaces: tests/unit/cni-plugins, test_live_many.c and those of the plugins that take from a pool;
C8 to C20 of ecs-branch-eni and ecs-tunnel, whose links not every kernel has: the same directory with other links in their place,
and tests/vm/guest/test_plugins.py with the real ones.
"""
import concurrent.futures
import json
import os
import subprocess
import time

import pytest

from tests.lab import network
from tests.lab.berth import wait_for
from tests.lab.private_host import OWN, PrivateHost

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="it needs root")

VERSIONS = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]
POOL = {"type": "ecs-ipam", "ipv4-subnet": "10.89.0.0/16"}
NEEDED = {"ADD": ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"], "DEL": ["CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH"],
          "CHECK": ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"], "GC": ["CNI_PATH"], "STATUS": ["CNI_PATH"]}
BEFORE = {"interfaces": [{"name": "eth9", "sandbox": "/run/netns/c0"}], "ips": [{"address": "10.77.0.5/24", "interface": 0}],
          "routes": [{"dst": "10.78.0.0/16"}], "dns": {"nameservers": ["10.77.0.2"]}}


class Binary:
    """
    One of ours, and what it is given. `chained`: it adds to what an interface plugin has made. `within`: all of that is in the
    container. So a second ADD is of the same container and makes it anew, and who does not come by the namespace, as DEL
    without it and GC, finds nothing.
    """

    def __init__(self, name, chained=False, within=False, **keys):
        self.name, self.chained, self.within, self.keys = name, chained, within, keys
        self.host = None

    def config(self, number=0, version="1.1.0", **more):
        keys = json.loads(json.dumps(self.keys).replace("NUMBER", str(number)))
        if self.chained:
            if "runtimeConfig" in keys:
                keys["runtimeConfig"]["portMappings"][0]["hostPort"] += number
            keys["prevResult"] = {"cniVersion": version, "interfaces": [{"name": "eth0", "sandbox": f"/run/netns/c{number}"}],
                                  "ips": [{"address": f"10.77.0.{number + 2}/24", "interface": 0,
                                           **({"version": "4"} if version < "1.0.0" else {})}], "dns": {}}
        return {"name": "net", "type": self.name, "cniVersion": version, **keys, **more}

    def environment(self, command, number=0):
        return {"CNI_COMMAND": command, "CNI_CONTAINERID": f"container-{number}", "CNI_NETNS": f"/run/netns/c{number}",
                "CNI_IFNAME": "eth0", "CNI_PATH": "/opt/cni/bin"}

    def argv(self, environment):
        return self.host.argv("env", "-i", *(f"{name}={value}" for name, value in environment.items()), f"{OWN}/{self.name}")

    def call(self, environment, stdin):
        """Exit code and answer. C18: there is nothing but JSON on stdout, ever."""
        if not isinstance(stdin, bytes):
            stdin = json.dumps(stdin).encode()
        began = time.monotonic()
        done = subprocess.run(self.argv(environment), input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        assert done.returncode in (0, 1), done
        assert time.monotonic() - began < 30
        return done.returncode, json.loads(done.stdout) if done.stdout else None

    def good(self, command, number=0, **more):
        code, answer = self.call(self.environment(command, number), self.config(number, **more))
        assert code == 0, (command, answer)
        return answer

    def refused(self, code, environment, stdin):
        status, answer = self.call(environment, stdin)
        assert status == 1 and answer["code"] == code and answer["msg"], (status, answer)
        return answer


BINARIES = [
    Binary("ecs-eni", driver="veth", eni="eni-NUMBER", mac="02:1f:00:00:00:0NUMBER", ipam=POOL),
    Binary("ecs-bridge", bridge="berth7", isDefaultGateway=True, ipMasq=True, ipam=POOL),
    Binary("ecs-ipam", ipam=POOL),
    Binary("ecs-portmap", chained=True, runtimeConfig={"portMappings": [
        {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]}),
    Binary("aws-appmesh", chained=True, within=True, ignoredUID="1337", proxyEgressPort="15001"),
    Binary("ecs-serviceconnect", chained=True, within=True, enableIPv4=True,
           ingressConfig=[{"listenerPort": 15000, "interceptPort": 80}],
           egressConfig={"listenerPort": 15001, "redirectMode": "tproxy", "vip": {"ipv4Cidr": "10.255.0.0/16"}}),
]
# Not every kernel has their links.
OTHERS = [
    Binary("ecs-branch-eni", trunkName="up0", branchVlanID="7", branchMACAddress="02:1f:00:00:00:09", interfaceType="vlan",
           ipAddresses=["10.79.0.5/24"], gatewayIPAddresses=["10.79.0.1"]),
    Binary("ecs-tunnel", destinationIPAddress="192.168.77.2", vni="7", destinationPort="6081", interfaceType="geneve",
           primary=True, ipAddresses=["10.79.0.5/24"], gatewayIPAddress="10.79.0.1"),
]


@pytest.fixture(params=BINARIES, ids=lambda binary: binary.name)
def binary(request, tmp_path):
    binary = request.param
    with PrivateHost(str(tmp_path)) as binary.host:
        binary.host.run("ip", "address", "add", "10.77.0.1/24", "dev", "up0")  # where a chained one finds its container
        for number in range(4):
            binary.host.run("ip", "netns", "add", f"c{number}")
            binary.host.run("ip", "-n", f"c{number}", "link", "set", "lo", "up")
        yield binary
        for number in range(4):
            binary.host.run("ip", "netns", "delete", f"c{number}")
        binary.host.run("ip", "address", "delete", "10.77.0.1/24", "dev", "up0")


def state(binary):
    """Of the host and of the containers: but for what stays for the next one."""
    root, found = f"/proc/{binary.host.holder.pid}/root/run/netns/c", set()
    for number in range(4):
        seen = network.inside(f"{root}{number}", lambda: network.links_and_addresses() | network.routes() |
                              network.routing_rules() | network.nft_objects(handle=0))
        found |= {f"c{number}: {item}" for item in seen}
    found |= {path for path in binary.host.names("/run/berth") if "/leases/" in path}
    found |= {link["ifname"] for link in binary.host.json("ip", "-j", "link")} - {"berth7"}
    rules = binary.host.json("nft", "-j", "list", "ruleset")["nftables"]
    return found | {f"element {element}" for rule in rules for element in rule.get("map", {}).get("elem", [])}


def eventually(binary, before):
    """The kernel takes a link away some time after it was told."""
    return wait_for("all to be as before", lambda: state(binary) <= before, every=0.05)


@pytest.mark.parametrize("binary", BINARIES + OTHERS, indirect=True, ids=lambda binary: binary.name)
def test_what_is_asked_badly_is_refused(binary):
    """C1 to C7, C13, C14, C19: and nothing has been done."""
    before = state(binary)
    done = subprocess.run(binary.argv({}), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stdout and binary.name in done.stderr  # C1
    for command, names in NEEDED.items():  # C2
        whole = binary.environment(command)
        for missing in [names, *([name] for name in names)]:
            environment = {name: value for name, value in whole.items() if name not in missing}
            answer = binary.refused(4, environment, binary.config())
            assert answer["msg"] == f"required env variables [{','.join(missing)}] missing"
    for name, values in (("CNI_CONTAINERID", ("a b", "-a", "a/b")), ("CNI_IFNAME", ("sixteen-bytes-xx", "a/b", "..", "a b"))):
        for value in values:  # C3
            binary.refused(4, {**binary.environment("ADD"), name: value}, binary.config())
    text = json.dumps(binary.config()).encode()
    for bad in (b"", text[:-1], text + b" " * (1 << 20), text.replace(b"net", b"n\0t"), b"[" * 100000):  # C4
        binary.refused(6, binary.environment("ADD"), bad)
    nameless = binary.config()
    del nameless["name"]
    binary.refused(7, binary.environment("ADD"), nameless)  # C5
    binary.refused(1, binary.environment("ADD"), binary.config(version="9.9.9"))  # C6
    version = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", *binary.argv({"CNI_COMMAND": "VERSION"})],
                             stdout=subprocess.PIPE, check=True)
    assert json.loads(version.stdout)["supportedVersions"] == VERSIONS  # C7
    for command in ("ADD", "DEL"):
        answer = binary.refused(8, {**binary.environment(command), "CNI_NETNS": "/proc/self/ns/net"}, binary.config())  # C13
        assert answer["cniVersion"] == "1.1.0"
    assert state(binary) <= before


def test_each_version_is_answered_as_it_is(binary):
    """C6, C12, C14, C19"""
    before = state(binary)
    for version in VERSIONS:
        answer = binary.good("ADD", version=version, unknown={"a": [1, {"b": None}]})
        assert answer["cniVersion"] == version
        assert all(("version" in ip) == (version < "1.0.0") for ip in answer["ips"])
        binary.good("DEL", version=version)
    if not binary.chained:
        answer = binary.good("ADD", prevResult={"cniVersion": "1.1.0", **BEFORE})
        for name in ("interfaces", "ips", "routes"):
            assert answer.get(name, [])[:1] == BEFORE[name], (name, answer)
        assert answer["dns"] == BEFORE["dns"]
        binary.good("DEL")
    # C19: a byte now and then, to and fro.
    process = subprocess.Popen(binary.argv(binary.environment("ADD")), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    text = json.dumps(binary.config()).encode()
    for at in range(0, len(text), 16):
        process.stdin.write(text[at:at + 16])
        time.sleep(0.001)
    process.stdin.close()
    slowly = b""
    while byte := process.stdout.read(1):
        slowly += byte
        time.sleep(0.0005)
    process.stdout.close()
    assert process.wait() == 0 and json.loads(slowly)["cniVersion"] == "1.1.0"
    binary.good("DEL")
    assert eventually(binary, before)


def test_an_attachment_is_made_once_and_taken_away_for_good(binary):
    """C8, C9, C11, C17"""
    before = state(binary)
    binary.good("DEL")
    result = binary.good("ADD")
    made = state(binary)
    assert made > before
    again, _ = binary.call(binary.environment("ADD"), binary.config())
    assert again == (0 if binary.within else 1)
    assert state(binary) == made
    binary.good("CHECK", prevResult=result)
    for netns in ("", "/nowhere/netns", "/etc/passwd"):
        code, _ = binary.call({**binary.environment("DEL"), "CNI_NETNS": netns}, binary.config(prevResult=result))
        assert code == 0, netns
    if binary.within:
        assert state(binary) == made
        binary.good("DEL")
    code, answer = binary.call(binary.environment("CHECK"), binary.config(prevResult=result))
    assert code == 1 and answer["msg"]
    binary.good("DEL")
    assert eventually(binary, before)
    results = [binary.good("ADD", number) for number in range(4)]
    valid = [{"containerID": f"container-{number}", "ifname": "eth0"} for number in (0, 2)]
    binary.good("GC", **{"cni.dev/valid-attachments": valid})
    for number in range(4):
        code, _ = binary.call(binary.environment("CHECK", number), binary.config(number, prevResult=results[number]))
        assert code == (0 if binary.within else number % 2)
    for number in range(4):
        binary.good("DEL", number)
    assert eventually(binary, before)


def test_killed_at_any_time_a_del_cleans_up(binary):
    """C15"""
    before = state(binary)
    for moment in range(0, 60, 3):
        process = subprocess.Popen(binary.argv(binary.environment("ADD")), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        process.stdin.write(json.dumps(binary.config()).encode())
        process.stdin.close()
        time.sleep(moment / 10000)
        process.kill()
        process.wait()
        binary.good("DEL")
    assert eventually(binary, before)


def test_many_at_once_do_not_meet(binary):
    """C16, on the namespaces that are there; a hundred are in the unit tests."""
    before = state(binary)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            answers = list(pool.map(lambda number: binary.good("ADD", number), range(4)))
            assert len({answer["ips"][0]["address"] for answer in answers}) == 4
            list(pool.map(lambda number: binary.good("DEL", number), range(4)))
    assert eventually(binary, before)
