# SPDX-License-Identifier: Apache-2.0
"""A whole agent on Debian's kernel: with one hierarchy of control groups, on slow links, beside an old firewall."""
import contextlib
import json
import subprocess
import time

import pytest

from tests.e2e.test_bridge import PAGE, binding
from tests.e2e.test_endpoints import document
from tests.e2e.test_first_task import WEB, address, container, get, main_pid
from tests.lab import control_groups
from tests.lab.berth import Lab
from tests.lab.processes import environment_of


def run(*argv):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, timeout=60).stdout


@contextlib.contextmanager
def slow(link):
    """What leaves by the link is 200 ms under way."""
    run("tc", "qdisc", "add", "dev", link, "root", "netem", "delay", "200ms")
    try:
        yield
    finally:
        run("tc", "qdisc", "del", "dev", link, "root")


def seconds(what):
    began = time.monotonic()
    what()
    return time.monotonic() - began


@pytest.fixture(scope="module")
def host(real_host):
    """
    An agent and two tasks, one with an interface and one with a published port, that got where they are while control plane
    and registry were far away.
    """
    with Lab() as lab:
        lab.image = lab.registry.image("web")
        with slow("lo"):
            assert seconds(lab.instances) > 0.8  # a connection and a request, each there and back
            lab.agent(AWS_CA_BUNDLE=None).start()
            arn, = lab.run(lab.define("far", [{"image": lab.image, "command": WEB, "memory": 48, "cpu": 256}], cpu="512",
                                      memory="128"))
            bridged, = lab.run(lab.define("far-bridge", mode="bridge", containers=[
                {"image": lab.image, "command": WEB, "portMappings": [{"containerPort": 80}]}]), awsvpc=False)
            lab.arn, lab.arn_of_bridge = arn, bridged
            lab.page = f"http://{address(lab.wait_status(arn, 'RUNNING'))}/"
            lab.port = binding(lab.wait_status(bridged, "RUNNING"))["hostPort"]
        yield lab


def test_a_far_control_plane(host):
    """net-T72: 200 ms each way between agent and control plane, for its API and for both sessions, and to the tasks."""
    assert get(host.page) == PAGE
    assert get(f"http://127.0.0.1:{host.port}/") == PAGE
    interface, = (route["dev"] for route in json.loads(run("ip", "-j", "route")) if route["dst"] in host.page)
    with slow("lo"), slow(interface):
        assert seconds(lambda: get(host.page)) > 0.4
        arn, = host.run(host.define("short", [{"image": host.image, "command": ["sh", "-c", "exit 3"]}]))
        assert container(host.wait_status(arn, "STOPPED"))["exitCode"] == 3
    log = host.agents[0].daemon.text()
    assert log.count('"The session is open"') == 2, log  # none was lost meanwhile


def test_control_groups_of_version_2_alone(host):
    """net-T74: limits and statistics of a task where the one hierarchy is that of version 2."""
    with open("/proc/mounts") as file:
        assert {line.split()[2] for line in file if line.split()[1].startswith("/sys/fs/cgroup")} == {"cgroup2"}
    group = control_groups.main(f"{host.agents[0].cgroup}/{host.arn.split('/')[-1]}")

    def limit(name):
        with open(f"{group}/{name}") as file:
            return file.read().strip()

    assert limit("memory.max") == str(128 << 20)
    assert limit("cpu.max") == "50000 100000"
    assert limit("app/memory.max") == str(48 << 20)
    assert limit("app/cpu.weight") == "10"  # 256 of the shares of version 1

    get(host.page)
    pid = main_pid(host, host.arn)
    url = environment_of(pid, "ECS_CONTAINER_METADATA_URI_V4")["ECS_CONTAINER_METADATA_URI_V4"]
    stats = document(pid, url.split("169.254.170.2")[1] + "/stats")
    assert 0 < stats["memory_stats"]["usage"] < stats["memory_stats"]["limit"] == 48 << 20
    assert stats["cpu_stats"]["cpu_usage"]["total_usage"] > 0
    assert stats["networks"]["eth0"]["rx_bytes"] > 0


@pytest.fixture
def old_firewall():
    """What Docker leaves on a host with iptables-legacy: nothing is forwarded that no rule lets through."""
    run("iptables-legacy", "-P", "FORWARD", "DROP")
    run("iptables-legacy", "-t", "nat", "-A", "POSTROUTING", "-s", "172.17.0.0/16", "-j", "MASQUERADE")
    yield
    run("iptables-legacy", "-P", "FORWARD", "ACCEPT")
    run("iptables-legacy", "-F", "FORWARD")
    run("iptables-legacy", "-t", "nat", "-F", "POSTROUTING")


@contextlib.contextmanager
def another_host(name="other"):
    """A host beside this one, 198.51.100.1, that fetches pages."""
    run("ip", "netns", "add", name)
    run("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "eth0", "netns", name)
    run("ip", "address", "add", "198.51.100.1/24", "dev", "uplink")
    run("ip", "link", "set", "uplink", "up")
    for line in ("address add 198.51.100.2/24 dev eth0", "link set eth0 up", "route add default via 198.51.100.1"):
        run("ip", "-n", name, *line.split())

    def fetch(url):
        return subprocess.run(["ip", "netns", "exec", name, "curl", "-s", "--noproxy", "*", "--max-time", "5", url],
                              stdout=subprocess.PIPE, text=True).stdout
    try:
        yield fetch
    finally:
        run("ip", "netns", "delete", name)


def test_beside_iptables_legacy(host, old_firewall):
    """net-T75: a FORWARD policy of DROP stops what is forwarded and no more; with the documented rules all works."""
    run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
    assert get(host.page) == PAGE
    assert get(f"http://127.0.0.1:{host.port}/") == PAGE
    with another_host() as fetch:
        published = f"http://198.51.100.1:{host.port}/"
        assert fetch(host.page) == "" and fetch(published) == ""
        for links in ("ve+", "berth+"):
            for direction in ("-i", "-o"):
                run("iptables-legacy", "-I", "FORWARD", direction, links, "-j", "ACCEPT")
        assert fetch(host.page) == PAGE
        assert fetch(published) == PAGE
        # The container gets out, by our rule that hides its address behind the host's, and answers come back.
        assert "1 packets received" in run("nsenter", "--net", "--mount", "--target", str(main_pid(host, host.arn_of_bridge)),
                                           "ping", "-c", "1", "-W", "5", "198.51.100.2")
