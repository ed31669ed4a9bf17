# SPDX-License-Identifier: Apache-2.0
"""Our CNI plugins, run by programs that others wrote, podman and containerd's ctr, and as cnitool does it; alone and beside Debian's."""
import json
import os
import shutil
import subprocess
import urllib.request

import pytest

from tests.lab import control_groups
from tests.lab.cnitool import Cnitool, Refused
from tests.lab.images import APPLETS, BUSYBOX
from tests.lab.private_host import ADDRESS, PrivateHost
from tests.lab.processes import wait_for
from tests.lab.services import Containerd

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="it needs root")

SUBNET = "10.89.0.0/24"
BRIDGE = {"bridge": "berth7", "isGateway": True, "isDefaultGateway": True, "ipMasq": True, "hairpinMode": True}
OWN_BRIDGE = {**BRIDGE, "type": "ecs-bridge", "ipam": {"type": "ecs-ipam", "ipv4-subnet": SUBNET}}
# Debian's leaves its empty chains.
DEBIAN_BRIDGE = {**BRIDGE, "ipMasq": False, "type": "bridge", "ipam": {"type": "host-local", "subnet": SUBNET}}
OWN_PORTMAP = {"type": "ecs-portmap", "capabilities": {"portMappings": True}}
TUNING = {"type": "tuning", "sysctl": {"net.core.somaxconn": "500"}}
PAGE = "hello from a container\n"
MAPPING = [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]
SERVE = f"mkdir -p /www; printf '{PAGE[:-1]}\\n' > /www/index.html; exec httpd -f -p 80 -h /www"


@pytest.fixture
def host(tmp_path):
    with PrivateHost(str(tmp_path)) as host:
        yield host


def conflist(host, *plugins, version="0.4.0", name="net"):
    host.write("/etc/cni/net.d/10-net.conflist", json.dumps({"cniVersion": version, "name": name, "plugins": plugins}))


def rootfs(directory):
    """A container's file system."""
    root = os.path.join(directory, "rootfs")
    for inner in ("bin", "proc", "sys", "dev", "tmp", "etc"):
        os.makedirs(os.path.join(root, inner))
    shutil.copy(BUSYBOX, os.path.join(root, "bin", "busybox"))
    for applet in APPLETS:
        os.symlink("busybox", os.path.join(root, "bin", applet))
    return root


def page(host, where):
    def get():
        with urllib.request.urlopen(f"http://{where}/", timeout=5) as answer:
            return answer.read().decode()
    return wait_for(f"a page of {where}", lambda: host.inside(get), 20)


def kept(host):
    """What plugins and runtimes remember of containers."""
    found = [path for path in host.names("/run/berth") + host.names("/var/lib/cni") if "/leases/" in path or "/results/" in path]
    return found + [path for path in host.names("/var/lib/cni") if os.path.basename(path).startswith("10.89.")]


def links(host):
    return {link["ifname"] for link in host.json("ip", "-j", "link")} - {"berth7"}


# ---- podman ----

class Podman:
    def __init__(self, host, directory):
        self.host, self.cgroup = host, f"/berth-podman-{os.getpid()}"
        config = os.path.join(directory, "containers.conf")
        with open(config, "w") as file:
            file.write('[containers]\nlog_driver = "none"\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n'
                       '[network]\nnetwork_backend = "cni"\nnetwork_config_dir = "/etc/cni/net.d"\n'
                       'cni_plugin_dirs = ["/opt/cni/bin"]\ndefault_network = "net"\n'
                       '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\nruntime = "runc"\ntmp_dir = "/run/podman"\n')
        self.prefix = ["env", f"CONTAINERS_CONF={config}", "podman", "--root", "/opt/podman", "--runroot", "/run/podman-root",
                       "--storage-driver", "vfs"]
        self.rootfs = rootfs(directory)

    def __call__(self, *arguments, check=True):
        return self.host.run(*self.prefix, *arguments, check=check)

    def start(self, name, *options, script=SERVE):
        self("run", "--detach", "--name", name, "--network", "net", f"--cgroup-parent={self.cgroup}", "--security-opt",
             "seccomp=unconfined", *options, "--rootfs", self.rootfs, "sh", "-c", script)

    def address(self, name):
        return json.loads(self("inspect", name).stdout)[0]["NetworkSettings"]["Networks"]["net"]["IPAddress"]

    def end(self):
        self("rm", "--all", "--force", "--time", "0", check=False)
        wait_for("its control groups to be empty", self.without_groups, 20)

    def without_groups(self):
        for parent in control_groups.directories(self.cgroup):
            for path, _, _ in os.walk(parent, topdown=False):
                os.rmdir(path)
        return True


@pytest.fixture
def podman(host, tmp_path):
    if not shutil.which("podman"):
        pytest.skip("podman is not installed")
    podman = Podman(host, str(tmp_path))
    yield podman
    podman.end()


@pytest.mark.parametrize("plugins", [
    pytest.param([OWN_BRIDGE, OWN_PORTMAP], id="ours"),
    pytest.param([OWN_BRIDGE, OWN_PORTMAP, TUNING], id="ours-and-tuning"),
    pytest.param([DEBIAN_BRIDGE, OWN_PORTMAP], id="debians-bridge-our-portmap"),
])
def test_podman(host, podman, plugins):
    """Its containers have addresses and ports by our plugins; what it takes away is gone."""
    conflist(host, *plugins)
    before = links(host)
    podman.start("web", "--publish", "8080:80")
    podman.start("other", script="exec sleep 1000")
    address = podman.address("web")
    assert address != podman.address("other") and address.startswith("10.89.0.")
    for where in ("127.0.0.1:8080", f"{ADDRESS}:8080", address):
        assert page(host, where) == PAGE
    for where in (address, f"{ADDRESS}:8080"):
        assert podman("exec", "other", "wget", "-q", "-O", "-", f"http://{where}/").stdout == PAGE
    assert "already mapped" in podman("run", "--network", "net", "--publish", "8080:80", f"--cgroup-parent={podman.cgroup}",
                                      "--rootfs", podman.rootfs, "true", check=False).stderr
    podman("restart", "--time", "0", "web")
    assert page(host, "127.0.0.1:8080") == PAGE
    podman("rm", "--all", "--force", "--time", "0")
    assert links(host) == before
    assert not kept(host)


# ---- ctr ----

class PrivateContainerd(Containerd):
    """containerd on a private host, which has its shims and its CNI plugins there."""

    def __init__(self, host, directory):
        super().__init__(os.path.join(directory, "containerd"))
        self.host = host
        self.daemon.argv = host.argv(*self.daemon.argv)

    def ctr(self, *arguments, namespace="trial", check=True):
        return self.host.run("ctr", "--address", self.address, "--namespace", namespace, *arguments, check=check)


@pytest.mark.parametrize("plugins", [
    pytest.param([OWN_BRIDGE, OWN_PORTMAP], id="ours"),
    pytest.param([OWN_BRIDGE, TUNING], id="our-bridge-tuning"),
    pytest.param([DEBIAN_BRIDGE, OWN_PORTMAP, TUNING], id="debians-bridge-our-portmap"),
])
def test_ctr_run(host, tmp_path, plugins):
    """`ctr run --cni` names the namespace at ADD as /proc/PID/ns/net, and at DEL not at all."""
    conflist(host, *plugins, version="1.0.0")
    before, group = links(host), f"/berth-ctr-{os.getpid()}"
    containerd = PrivateContainerd(host, str(tmp_path)).start()
    try:
        said = containerd.ctr("run", "--rm", "--cni", "--cgroup", group, "--env", "PATH=/bin", "--rootfs",
                              rootfs(str(tmp_path)), "web", "/bin/sh", "-c",
                              "ip -4 address show eth0; ip route; ping -c 1 -W 5 10.89.0.1").stdout
        assert "inet 10.89.0.2/24" in said and "default via 10.89.0.1" in said and "1 packets received" in said
        # Without the namespace Debian's leaves the pair to it.
        wait_for("its links to be gone", lambda: links(host) == before, 10)
        assert not kept(host)
    finally:
        containerd.stop()
        for path in control_groups.directories(group):
            os.rmdir(path)


# ---- cnitool ----

@pytest.fixture
def containers(host):
    paths = [f"/run/netns/container-{number}" for number in range(3)]
    for path in paths:
        host.run("ip", "netns", "add", os.path.basename(path))
    yield paths
    for path in paths:
        host.run("ip", "netns", "delete", os.path.basename(path))


class Server:
    """A page on port 80 of a namespace, as a context."""

    def __init__(self, host, netns):
        self.argv = host.argv("ip", "netns", "exec", os.path.basename(netns), "busybox", "httpd", "-f", "-p", "80", "-h",
                              "/opt/www")
        host.run("mkdir", "-p", "/opt/www")
        host.write("/opt/www/index.html", PAGE)

    def __enter__(self):
        self.process = subprocess.Popen(self.argv)

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


@pytest.mark.parametrize("version", ["0.4.0", "1.0.0", "1.1.0"])
def test_cnitool(host, containers, version):
    """net-T66"""
    if version == "1.1.0" and os.environ.get("BERTH_CNITOOL"):
        pytest.skip("not on this kernel: that program does not know 1.1.0")
    conflist(host, OWN_BRIDGE, OWN_PORTMAP, version=version)
    tool, before = Cnitool(host), links(host)
    first, second, third = containers
    if version == "1.1.0":
        tool.status("net")
    result = tool.add("net", first, portMappings=MAPPING)
    assert result["cniVersion"] == version and result["ips"][0]["address"] == "10.89.0.2/24"
    with Server(host, first):
        assert page(host, "127.0.0.1:8080") == PAGE
    tool.check("net", first, portMappings=MAPPING)
    with pytest.raises(Refused):
        tool.add("net", first, portMappings=MAPPING)
    tool.check("net", first, portMappings=MAPPING)
    for netns in (second, third):
        tool.add("net", netns)
    host.run("ip", "-n", os.path.basename(third), "link", "delete", "eth0")
    with pytest.raises(Refused):
        tool.check("net", third)
    tool.delete("net", third)
    if version == "1.1.0":
        # One that the runtime still has in its cache, and one that it has forgotten.
        tool.add("net", third)
        host.run("rm", f"/var/lib/cni/results/net-{tool.container(third)}-eth0")
        tool.collect("net", [first])
        assert len(links(host) - before) == 1
        tool.check("net", first, portMappings=MAPPING)
    for netns in (first, second, first):
        tool.delete("net", netns, portMappings=MAPPING)
    assert links(host) == before
    assert not kept(host)
