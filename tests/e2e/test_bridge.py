# SPDX-License-Identifier: Apache-2.0
"""Network mode bridge: published ports, links, and what is held and given back."""
import contextlib
import json
import os
import signal
import socket
import subprocess
import time

import pytest

from tests.e2e.test_first_task import FOREVER, WEB, container, get, main_pid
from tests.lab.berth import program, wait_for
from tests.lab import leaks
from tests.lab.processes import environment_of, free_port
from tests.e2e.test_endpoints import ROLE, document

DEBIAN_PLUGINS = "/usr/lib/cni"
PAGE = "hello from berth\n"


def define(lab, containers, **more):
    return lab.define("bridged", [dict({"image": lab.image}, **each) for each in containers], mode="bridge", **more)


def run(lab, *containers, **more):
    arn = lab.run(define(lab, containers, **more), awsvpc=False)[0]
    return lab.wait_status(arn, "RUNNING")


def binding(task, name="app"):
    found, = container(task, name)["networkBindings"]
    return found


def stop(lab, arn):
    lab.stop_task(arn)
    return lab.wait_status(arn, "STOPPED")


def bind(port, kind=socket.SOCK_STREAM):
    """As another program of the host would; OSError when it is taken."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("0.0.0.0", port))


def is_free(port):
    """It is one that the kernel gives to whoever connects, too: it may be such a connection's for a moment."""
    bind(port)
    return True


def inside(lab, arn, *command, name="app"):
    return subprocess.run(["nsenter", "--net", "--mount", "--target", str(main_pid(lab, arn, name)), "--", *command],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60).stdout


def host_address():
    """One of the host's own, which is no bridge's."""
    shown = subprocess.run(["ip", "-j", "-4", "address", "show", "scope", "global"], stdout=subprocess.PIPE, check=True)
    return next(address["local"] for link in json.loads(shown.stdout)
                if not leaks.BRIDGE.fullmatch(link.get("ifname", "berth0")) for address in link["addr_info"] if "local" in address)


def test_a_dynamic_port_is_told_reached_and_given_back(host):
    """eng-57, net-T51: by 127.0.0.1, by the host's address, and from the container itself."""
    task = run(host, {"command": WEB, "portMappings": [{"containerPort": 80}]})
    found = binding(task)
    port = found["hostPort"]
    assert found == {"bindIP": "0.0.0.0", "containerPort": 80, "hostPort": port, "protocol": "tcp"}
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        first, last = map(int, file.read().split())
    assert first <= port <= last
    assert get(f"http://127.0.0.1:{port}/") == PAGE
    assert get(f"http://{host_address()}:{port}/") == PAGE
    assert inside(host, task["taskArn"], "wget", "-q", "-O", "-", f"http://{host_address()}:{port}/") == PAGE
    with pytest.raises(OSError):
        bind(port)
    assert container(stop(host, task["taskArn"]))["networkBindings"] == [found]
    wait_for("the port to be free", lambda: is_free(port))


def test_the_metadata_endpoint_is_in_each_container(host):
    """tmds: ports with the address that they are bound to, the container's own address as its network. And credentials."""
    task = run(host, {"name": "app", "command": FOREVER, "portMappings": [{"containerPort": 80}]},
               {"name": "side", "command": FOREVER}, taskRoleArn=ROLE)
    seen = {}
    for name in ("app", "side"):
        pid = main_pid(host, task["taskArn"], name)
        variables = environment_of(pid, "ECS_CONTAINER_METADATA_URI_V4")
        seen[name] = document(pid, variables["ECS_CONTAINER_METADATA_URI_V4"].replace("http://169.254.170.2", ""))
        assert document(pid, variables["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"])["RoleArn"] == ROLE
    assert seen["app"]["Ports"] == [{"ContainerPort": 80, "Protocol": "tcp", "HostPort": binding(task)["hostPort"],
                                     "HostIp": "0.0.0.0"}]
    assert "Ports" not in seen["side"]
    addresses = set()
    for name in ("app", "side"):
        network, = seen[name]["Networks"]
        assert network["NetworkMode"] == "bridge"
        addresses.add(network["IPv4Addresses"][0])
        assert network["IPv4Addresses"][0] in inside(host, task["taskArn"], "ip", "addr", "show", "eth0", name=name)
    assert len(addresses) == 2


HOST_IPV6 = "2001:db8:c0de::1"


@pytest.fixture
def host_ipv6():
    """An address of the host that is reached by IPv6."""
    subprocess.run(["ip", "address", "add", f"{HOST_IPV6}/128", "dev", "lo", "nodad"], check=True)
    yield HOST_IPV6
    subprocess.run(["ip", "address", "delete", f"{HOST_IPV6}/128", "dev", "lo"], check=True)


@pytest.mark.parametrize("told", [False, True])
def test_ports_are_published_on_ipv6_too(lab, host_ipv6, told):
    """net-T55: by the host's address and from the container itself; told of only where the operator wants it."""
    lab.image = lab.registry.image("web")
    lab.agent(BERTH_BRIDGE_SUBNET_IPV6="fd00:172:29::/64",
              **({"ECS_EXCLUDE_IPV6_PORTBINDING": "false"} if told else {})).start()
    task = run(lab, {"name": "app", "command": WEB, "portMappings": [{"containerPort": 80}], "links": ["db:store"]},
               {"name": "db", "command": WEB})
    found = container(task)["networkBindings"]
    port = found[0]["hostPort"]
    assert found == [{"bindIP": ip, "containerPort": 80, "hostPort": port, "protocol": "tcp"}
                     for ip in (["0.0.0.0", "::"] if told else ["0.0.0.0"])]
    assert get(f"http://127.0.0.1:{port}/") == PAGE and get(f"http://[{host_ipv6}]:{port}/") == PAGE
    assert inside(lab, task["taskArn"], "wget", "-q", "-O", "-", f"http://[{host_ipv6}]:{port}/") == PAGE

    def metadata(name):
        pid = main_pid(lab, task["taskArn"], name)
        base = environment_of(pid, "ECS_CONTAINER_METADATA_URI_V4")["ECS_CONTAINER_METADATA_URI_V4"]
        return document(pid, base.replace("http://169.254.170.2", ""))

    # What is bound, told of or not.
    assert metadata("app")["Ports"] == [{"ContainerPort": 80, "Protocol": "tcp", "HostPort": port, "HostIp": ip}
                                        for ip in ("0.0.0.0", "::")]
    network, = metadata("db")["Networks"]
    address, = network["IPv6Addresses"]
    assert address.startswith("fd00:172:29::") and network["IPv4Addresses"][0].startswith("172.29.")
    assert inside(lab, task["taskArn"], "wget", "-q", "-O", "-", f"http://[{address}]/") == PAGE
    with open(f"/proc/{main_pid(lab, task['taskArn'])}/root/etc/hosts") as hosts:
        assert f"{address}\tstore db" in hosts.read().splitlines()
    assert container(stop(lab, task["taskArn"]))["networkBindings"] == found


def test_links_lead_to_other_containers(host):
    task = run(host, {"name": "app", "command": FOREVER, "links": ["db:store"]}, {"name": "db", "command": WEB})
    for name in ("store", "db"):
        assert inside(host, task["taskArn"], "wget", "-q", "-O", "-", f"http://{name}/") == PAGE


def test_a_range_of_ports_is_one_binding(host):
    """eng-58"""
    script = "for port in 8000 8001 8002; do httpd -p $port -h /www; done; trap 'exit 42' TERM; while :; do sleep 0.1; done"
    task = run(host, {"command": ["sh", "-c", script], "portMappings": [{"containerPortRange": "8000-8002"}]})
    found = binding(task)
    first, last = map(int, found["hostPortRange"].split("-"))
    assert found == {"bindIP": "0.0.0.0", "containerPortRange": "8000-8002", "hostPortRange": f"{first}-{last}",
                     "protocol": "tcp"} and last - first == 2
    for port in range(first, last + 1):
        assert get(f"http://127.0.0.1:{port}/") == PAGE


def refused_by_the_host(lab):
    """A task with a dynamic port, where none is left."""
    arn = lab.run(define(lab, [{"command": FOREVER, "portMappings": [{"containerPort": 80}]}]), awsvpc=False)[0]
    task = lab.wait_status(arn, "STOPPED")
    assert container(task)["reason"] == "HostConfigError: error retrieving docker port map: a host port is unavailable"
    return task


def test_no_dynamic_port_is_free(lab):
    """eng-59"""
    lab.image = lab.registry.image("web")
    # None that the kernel gives to whoever connects.
    with socket.socket() as one, socket.socket() as two:
        for taken in (one, two):
            taken.bind(("0.0.0.0", 30000 + (taken is two)))
        lab.agent(ECS_DYNAMIC_HOST_PORT_RANGE="30000-30001").start()
        task = refused_by_the_host(lab)
    assert "exitCode" not in container(task) and task["stopCode"] == "TaskFailedToStart"


def test_reserved_ports_are_nobodys(lab):
    """net-T54: they are free, and are neither placed nor chosen"""
    lab.image = lab.registry.image("web")
    lab.agent(ECS_RESERVED_PORTS="[22,30002,30004]", ECS_DYNAMIC_HOST_PORT_RANGE="30002-30004").start()
    for port in (22, 30002):
        definition = define(lab, [{"command": FOREVER, "portMappings": [{"containerPort": 80, "hostPort": port}]}])
        answer = lab.control.call("RunTask", taskDefinition=definition)
        assert answer["tasks"] == [] and [failure["reason"] for failure in answer["failures"]] == ["RESOURCE:PORTS"]
    task = run(lab, {"command": FOREVER, "portMappings": [{"containerPort": 80}]})
    assert binding(task)["hostPort"] == 30003
    refused_by_the_host(lab)
    bind(30002)
    bind(30004)


def test_a_port_that_another_program_has(host):
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))
        port = other.getsockname()[1]
        arn = host.run(define(host, [{"command": FOREVER, "portMappings": [{"containerPort": 80, "hostPort": port}]}]),
                       awsvpc=False)[0]
        task = host.wait_status(arn, "STOPPED")
    assert container(task)["reason"] == \
        f"CannotStartContainerError: Bind for 0.0.0.0:{port} failed: port is already allocated (tcp)"


UDP_SERVER = """
import socket, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("", 53))
while True:
    data, client = server.recvfrom(100)
    server.sendto(sys.argv[1].encode() + b" " + data, client)
"""


@contextlib.contextmanager
def udp_server(lab, arn, name):
    """In the container's network, as the image has no program for it."""
    with subprocess.Popen(["nsenter", "--net", "--target", str(main_pid(lab, arn)), "--", "/usr/bin/python3", "-c", UDP_SERVER,
                           name]) as server:
        try:
            yield
        finally:
            server.kill()


def test_udp_goes_to_whoever_has_the_port_now(host):
    """net-T52: the client's socket stays the same over two containers, and with it the flow that the kernel knows."""
    port = free_port()

    def answer(client):
        with contextlib.suppress(OSError):
            client.send(b"x")
            return client.recv(100).decode()
        return None

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.2)
        client.connect(("127.0.0.1", port))
        for name in ("first", "second"):
            task = run(host, {"command": FOREVER,
                              "portMappings": [{"containerPort": 53, "hostPort": port, "protocol": "udp"}]})
            with udp_server(host, task["taskArn"], name):
                assert wait_for(f"an answer of {name}", lambda: answer(client)) == f"{name} x"
            stop(host, task["taskArn"])


def test_a_killed_agent_changes_nothing(host):
    """eng-78: same process, same port, which nobody else gets while the new agent lives."""
    task = run(host, {"command": WEB, "portMappings": [{"containerPort": 80}]})
    port, pid = binding(task)["hostPort"], main_pid(host, task["taskArn"])
    agent = host.agents[0]
    agent.kill()
    assert get(f"http://127.0.0.1:{port}/") == PAGE
    agent.start()
    assert main_pid(host, task["taskArn"]) == pid
    assert get(f"http://127.0.0.1:{port}/") == PAGE
    with pytest.raises(OSError):
        bind(port)
    base = environment_of(pid, "ECS_CONTAINER_METADATA_URI_V4")["ECS_CONTAINER_METADATA_URI_V4"]
    assert document(pid, base.replace("http://169.254.170.2", ""))["KnownStatus"] == "RUNNING"
    assert container(stop(host, task["taskArn"]))["networkBindings"][0]["hostPort"] == port
    wait_for("the port to be free", lambda: is_free(port))


def test_a_container_that_is_restarted_keeps_its_port(lab):
    lab.image = lab.registry.image("web")
    lab.agent(BERTH_TIME_SCALE="60").start()
    task = run(lab, {"command": WEB, "portMappings": [{"containerPort": 80}],
                     "restartPolicy": {"enabled": True, "restartAttemptPeriod": 60}})
    port, first = binding(task)["hostPort"], main_pid(lab, task["taskArn"])
    started = time.time()
    wait_for("its attempt period to be over", lambda: time.time() - started > 1.5)
    os.kill(first, signal.SIGKILL)
    wait_for("the next run", lambda: main_pid(lab, task["taskArn"]) not in (None, first))
    assert wait_for("its page", lambda: get(f"http://127.0.0.1:{port}/")) == PAGE
    assert binding(lab.task(task["taskArn"]))["hostPort"] == port


def test_metrics_tell_the_network_of_each_container(host):
    task = run(host, {"command": WEB, "portMappings": [{"containerPort": 80}]})
    get(f"http://127.0.0.1:{binding(task)['hostPort']}/")
    pid = main_pid(host, task["taskArn"])
    base = environment_of(pid, "ECS_CONTAINER_METADATA_URI_V4")["ECS_CONTAINER_METADATA_URI_V4"]
    seen = document(pid, base.replace("http://169.254.170.2", "") + "/stats")
    assert list(seen["networks"]) == ["eth0"] and seen["networks"]["eth0"]["rx_bytes"] > 0
    json.dumps(seen)


def tables():
    """As "table ip nat"."""
    return set(subprocess.run(["nft", "list", "tables"], stdout=subprocess.PIPE, text=True).stdout.splitlines())


@pytest.mark.parametrize("bridge, portmap", [("bridge", "portmap"), ("ecs-bridge", "portmap"), ("bridge", "ecs-portmap")])
def test_plugins_of_others_take_the_place_of_ours(lab, bridge, portmap):
    """net-T67: a network named bridge in the operator's directory; Debian's plugins and ours, in one chain."""
    lab.image = lab.registry.image("web")
    before = tables()
    directory = os.path.join(lab.directory, "net.d")
    os.mkdir(directory)
    with open(os.path.join(directory, "10-bridge.conflist"), "w") as file:
        json.dump({"cniVersion": "1.0.0", "name": "bridge", "plugins": [
            {"type": bridge, "bridge": "berth9", "isDefaultGateway": True, "ipMasq": True, "hairpinMode": True,
             "ipam": {"type": "host-local", "subnet": "172.29.9.0/24", "dataDir": os.path.join(lab.directory, "host-local")}},
            {"type": portmap, "capabilities": {"portMappings": True}}]}, file)
    ours = os.path.dirname(program("ecs-bridge"))
    lab.agent(BERTH_CNI_CONFIG_DIR=directory, ECS_CNI_PLUGINS_PATH=f"{DEBIAN_PLUGINS}:{ours}").start()
    task = run(lab, {"command": WEB, "portMappings": [{"containerPort": 80}]})
    assert get(f"http://127.0.0.1:{binding(task)['hostPort']}/") == PAGE
    stop(lab, task["taskArn"])
    assert set(os.listdir(os.path.join(lab.directory, "host-local", "bridge"))) <= {"lock", "last_reserved_ip.0"}
    # Their empty chains stay.
    for table in tables() - before - {f"table {table}" for table in leaks.BRIDGE_TABLES}:
        subprocess.run(["nft", "delete", *table.split()], check=True)
