# SPDX-License-Identifier: Apache-2.0
"""berth-init on a host of its own: two network namespaces, one of them "another host", and private /etc and /var/log."""
import os
import signal
import subprocess

import pytest

from tests.lab import skips
from tests.lab.berth import program
from tests.lab.processes import Daemon, wait_for

ROUTE_LOCALNET = "/proc/sys/net/ipv4/conf/all/route_localnet"
HERE, OTHER = "192.0.2.1", "192.0.2.2"
ANSWER = "metadata of berth\n"


class Place:
    """A process that holds namespaces; commands are run in them."""

    def __init__(self, directory, name, *unshare):
        self.daemon = Daemon(name, ["unshare", *unshare, "sleep", "infinity"], os.path.join(directory, f"{name}.log"))
        self.daemon.start()
        self.enter = ["nsenter", "-t", str(self.daemon.pid), *unshare]
        wait_for("the namespaces", lambda: os.readlink(f"/proc/{self.daemon.pid}/exe").endswith("sleep"))

    def run(self, *argv, check=True, **environment):
        done = subprocess.run([*self.enter, *argv], env=dict(os.environ, **environment), text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=30)
        if check:
            assert done.returncode == 0, f"{argv}: {done.stdout}"
        return done

    def get(self, url, seconds=25):
        """The body, or None when nothing answers."""
        done = self.run("curl", "-s", "--noproxy", "*", "--max-time", str(seconds), url, check=False)
        return done.stdout if done.returncode == 0 else None

    def is_closed(self, url):
        """Nothing answers: refused at once, or dropped, which is no answer for a while."""
        return self.get(url, 2) is None

    def sysctl(self, path, value=None):
        if value is not None:
            self.run("sh", "-c", f"echo {value} > {path}")
        return self.run("cat", path).stdout.strip()


class Host:
    def __init__(self, directory):
        self.directory = str(directory)
        self.here = Place(self.directory, "here", "--net", "--mount")
        self.other = Place(self.directory, "other", "--net")
        self.servers = []
        upper, work = os.path.join(self.directory, "upper"), os.path.join(self.directory, "work")
        os.mkdir(upper)
        os.mkdir(work)
        self.here.run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir=/etc,upperdir={upper},workdir={work}", "/etc")
        self.here.run("mount", "-t", "tmpfs", "tmpfs", "/var/log")
        self.here.run("ip", "link", "set", "lo", "up")
        self.here.run("ip", "link", "add", "there", "type", "veth", "peer", "name", "eth0", "netns",
                      str(self.other.daemon.pid))
        self.here.run("ip", "addr", "add", f"{HERE}/24", "dev", "there")
        self.here.run("ip", "addr", "add", "fd00::1/64", "dev", "there", "nodad")
        self.here.run("ip", "link", "set", "there", "up")
        self.other.run("ip", "addr", "add", f"{OTHER}/24", "dev", "eth0")
        self.other.run("ip", "addr", "add", "fd00::2/64", "dev", "eth0", "nodad")
        self.other.run("ip", "link", "set", "eth0", "up")
        self.other.run("ip", "route", "add", "default", "via", HERE)
        # Loopback stays down there, so that 127.0.0.1 may lead to this host, as an attacker on the same link would do it.
        self.other.sysctl("/proc/sys/net/ipv4/conf/all/route_localnet", 1)
        self.other.run("ip", "route", "add", "127.0.0.1/32", "via", HERE, "src", OTHER)

    def init(self, action, code=0, **settings):
        settings = dict({"ECS_DATADIR": os.path.join(self.directory, "data"),
                         "BERTH_RUN_DIR": os.path.join(self.directory, "run")}, **settings)
        done = self.here.run(program("berth-init"), action, check=False, **settings)
        assert done.returncode == code, done.stdout
        return done.stdout

    def serve(self, address, port):
        content = os.path.join(self.directory, f"served-{port}")
        os.makedirs(content, exist_ok=True)
        with open(os.path.join(content, "index.html"), "w") as file:
            file.write(ANSWER)
        server = Daemon("server", [*self.here.enter, "/usr/bin/python3", "-m", "http.server", str(port), "--bind", address,
                                   "--directory", content], os.path.join(self.directory, f"server-{port}.log"))
        self.servers.append(server.start())
        literal = "127.0.0.1" if address != "::" else "[::1]"
        wait_for("the server", lambda: self.here.get(f"http://{literal}:{port}/") == ANSWER)

    def rules(self):
        """The rules without the handles and counters that differ from time to time."""
        return self.here.run("nft", "--stateless", "list", "ruleset").stdout

    def routes(self):
        return self.here.run("ip", "-4", "route", "show").stdout

    def close(self):
        for daemon in [*self.servers, self.here.daemon, self.other.daemon]:
            daemon.kill(signal.SIGKILL)


@pytest.fixture
def init_host(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("network namespaces and nftables need root")
    if not os.path.exists(program("berth-init")):
        pytest.skip(f"{program('berth-init')} is not built")
    done = subprocess.run(["unshare", "-n", "-m", "nft", "list", "ruleset"], stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        skips.no_kernel(f"private namespaces with nftables: {done.stderr.strip()}")
    host = Host(tmp_path)
    yield host
    host.close()


def test_rules_are_set_once_and_taken_back(init_host):
    """Rules set twice are rules set once (the reference doubles them), and one post-stop removes them."""
    before = init_host.rules()
    assert before == ""
    init_host.init("pre-start")
    once = init_host.rules()
    assert once.count("169.254.170.2") == 2 and once.count("51678") == 1
    init_host.init("pre-start")
    assert init_host.rules() == once
    init_host.init("post-stop")
    assert init_host.rules() == before
    init_host.init("post-stop")


def test_rules_of_others_stay(init_host):
    init_host.here.run("nft", "add table ip mine; add chain ip mine input { type filter hook input priority 0; }; "
                              "add rule ip mine input tcp dport 1 drop")
    before = init_host.rules()
    init_host.init("pre-start")
    assert "tcp dport 1 drop" in init_host.rules()
    init_host.init("post-stop")
    assert init_host.rules() == before


def test_route_localnet_is_taken_back(init_host):
    """cfg-I6"""
    assert init_host.here.sysctl(ROUTE_LOCALNET) == "0"
    init_host.init("pre-start")
    assert init_host.here.sysctl(ROUTE_LOCALNET) == "1"
    init_host.init("post-stop")
    assert init_host.here.sysctl(ROUTE_LOCALNET) == "0"


def test_route_localnet_becomes_what_new_interfaces_get(init_host):
    """It is the default's value that comes back, not always 0."""
    init_host.here.sysctl(ROUTE_LOCALNET.replace("/all/", "/default/"), 1)
    init_host.init("pre-start")
    init_host.init("post-stop")
    assert init_host.here.sysctl(ROUTE_LOCALNET) == "1"


def test_host_without_a_default_route_gets_one_for_the_endpoint(init_host):
    """cfg-I7: added once, a second time is no error, taken back."""
    before = init_host.routes()
    assert "default" not in before
    init_host.init("pre-start")
    init_host.init("pre-start")
    assert [line.strip() for line in init_host.routes().splitlines() if "169.254" in line] == \
        ["169.254.170.2 dev lo proto static scope link"]
    init_host.init("post-stop")
    assert init_host.routes() == before


def test_host_with_a_default_route_needs_none(init_host):
    init_host.here.run("ip", "route", "add", "default", "via", OTHER)
    before = init_host.routes()
    init_host.init("pre-start")
    assert init_host.routes() == before
    init_host.init("post-stop")
    assert init_host.routes() == before


@pytest.mark.parametrize("default_route", [False, True])
def test_metadata_address_leads_to_the_agent(init_host, default_route):
    """From this host (host-mode containers) and from another namespace (bridges)."""
    if default_route:
        init_host.here.run("ip", "route", "add", "default", "via", OTHER)
    init_host.serve("127.0.0.1", 51679)
    assert init_host.here.is_closed("http://169.254.170.2/")
    init_host.init("pre-start")
    assert init_host.here.get("http://169.254.170.2/") == ANSWER
    assert init_host.other.get("http://169.254.170.2/") == ANSWER
    assert init_host.other.is_closed("http://169.254.170.2:51679/")
    init_host.init("post-stop")
    assert init_host.here.is_closed("http://169.254.170.2/")
    assert init_host.other.is_closed("http://169.254.170.2/")


def test_port_of_the_metadata_endpoint_can_be_chosen(init_host):
    init_host.serve("127.0.0.1", 20000)
    init_host.init("pre-start", BERTH_METADATA_PORT="20000")
    assert init_host.here.get("http://169.254.170.2/") == ANSWER
    assert init_host.other.get("http://169.254.170.2/") == ANSWER


def test_loopback_is_closed_to_others(init_host):
    """cfg-I3: route_localnet would let others reach 127.0.0.1; the filter does not, unless it is left out."""
    init_host.serve("127.0.0.1", 51679)
    init_host.init("pre-start", ECS_SKIP_LOCALHOST_TRAFFIC_FILTER="true")
    assert init_host.other.get("http://127.0.0.1:51679/") == ANSWER, "the attack must work for its defence to be tested"
    init_host.init("pre-start")
    assert init_host.other.is_closed("http://127.0.0.1:51679/")
    assert init_host.here.get("http://127.0.0.1:51679/") == ANSWER


@pytest.mark.parametrize("address, literal", [("0.0.0.0", HERE), ("::", "[fd00::1]")])
def test_introspection_is_closed_to_others(init_host, address, literal):
    """cfg-I3: by IPv4 and IPv6; a flag that is no flag counts as false."""
    init_host.serve(address, 51678)
    url = f"http://{literal}:51678/"
    init_host.init("pre-start", ECS_ALLOW_OFFHOST_INTROSPECTION_ACCESS="true")
    assert init_host.other.get(url) == ANSWER
    output = init_host.init("pre-start", ECS_ALLOW_OFFHOST_INTROSPECTION_ACCESS="maybe")
    assert "ECS_ALLOW_OFFHOST_INTROSPECTION_ACCESS" in output
    assert init_host.other.is_closed(url)
    assert init_host.here.get(url) == ANSWER


def test_directories_are_made(init_host):
    init_host.init("pre-start")
    for name in ("data", "run"):
        path = os.path.join(init_host.directory, name)
        assert os.stat(path).st_mode & 0o777 == 0o711, path
    assert init_host.here.run("stat", "-c", "%a", "/etc/ecs", "/var/log/ecs").stdout.split() == ["755", "755"]


def test_a_wrong_setting_changes_nothing(init_host):
    output = init_host.init("pre-start", 255, BERTH_METADATA_PORT="70000")
    assert "BERTH_METADATA_PORT must be a port from 1 to 65535" in output
    assert init_host.rules() == ""


@pytest.mark.parametrize("arguments", [[], ["recache"], ["start", "now"]])
def test_unknown_actions(init_host, arguments):
    """cfg-I20"""
    done = init_host.here.run(program("berth-init"), *arguments, check=False)
    assert done.returncode == 1
    assert "usage: berth-init ACTION" in done.stdout
