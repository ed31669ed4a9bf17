# SPDX-License-Identifier: Apache-2.0
"""The metadata endpoint, its statistics and the credentials, as the processes of real tasks see them."""
import datetime
import ipaddress
import json
import os
import subprocess
import urllib.error
import urllib.request

from tests.e2e.test_first_task import FOREVER, address, container, get, main_pid
from tests.lab.processes import environment_of

WEB = ["sh", "-c", "trap 'exit 0' TERM; httpd -f -p 80 -h /www & while :; do sleep 0.1; done"]
ROLE = "arn:aws:iam::111122223333:role/app"
PYTHON = "/usr/bin/python3"
ASK = """
import sys, urllib.error, urllib.request
try:
    answer = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(sys.argv[1], timeout=30)
except urllib.error.HTTPError as error:
    answer = error
sys.stdout.write("%d %s" % (answer.status, answer.read().decode()))
"""


def inside(pid, *argv, **environment):
    """What a program of the host prints in the network namespace of the process."""
    done = subprocess.run(["nsenter", "-t", str(pid), "-n", *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=60, env=dict({"PATH": os.environ["PATH"]}, **environment))
    assert done.returncode == 0, done.stderr
    return done.stdout


def ask(pid, path):
    """Status and body of http://169.254.170.2<path>, asked for from within the task of that process."""
    status, _, body = inside(pid, PYTHON, "-c", ASK, f"http://169.254.170.2{path}").partition(" ")
    return int(status), body


def document(pid, path):
    status, body = ask(pid, path)
    assert status == 200, body
    return json.loads(body)


class Started:
    """A task that runs, and how its container asks."""

    def __init__(self, host, definition, **more):
        self.arn = host.run(definition, **more)[0]
        self.id = self.arn.split("/")[-1]
        self.task = host.wait_status(self.arn, "RUNNING")
        self.pid = main_pid(host, self.arn)
        self.variables = environment_of(self.pid, "ECS_CONTAINER_METADATA_URI_V4")
        self.endpoint = self.variables["ECS_CONTAINER_METADATA_URI_V4"].replace("http://169.254.170.2", "")
        self.credentials = self.variables.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")


def moment(text):
    """As text they do not compare: the last zeros of the fraction are left out."""
    assert text.endswith("Z")
    return datetime.datetime.fromisoformat(text)


def define(host, command, mode="awsvpc", **more):
    return host.define("curious", [{"image": host.image, "command": command, "cpu": 10}], mode=mode, taskRoleArn=ROLE,
                       **more)


def test_a_task_reads_what_it_is(host):
    """tmds-44 without ports: the container and its task by their own endpoint."""
    started = Started(host, define(host, FOREVER, cpu="256", memory="128"))
    seen = document(started.pid, started.endpoint)
    assert seen["DockerId"] == f"{started.id}-app-1"
    assert seen["Image"] == host.image and seen["ImageID"].startswith("sha256:")
    assert seen["Labels"]["com.amazonaws.ecs.task-arn"] == started.arn
    assert (seen["DesiredStatus"], seen["KnownStatus"], seen["Type"]) == ("RUNNING", "RUNNING", "NORMAL")
    assert seen["Limits"] == {"CPU": 10, "Memory": 64}
    assert moment(seen["CreatedAt"]) <= moment(seen["StartedAt"])
    network, = seen["Networks"]
    assert network["NetworkMode"] == "awsvpc" and network["IPv4Addresses"] == [address(started.task)]
    assert network["AttachmentIndex"] == 0 and network["IPv4SubnetCIDRBlock"].endswith(".0/24")
    assert network["SubnetGatewayIpv4Address"] == network["IPv4SubnetCIDRBlock"].replace(".0/", ".1/")
    assert ipaddress.ip_address(address(started.task)) in ipaddress.ip_network(network["IPv4SubnetCIDRBlock"])
    assert network["MACAddress"] in inside(started.pid, "ip", "link", "show", "eth0")

    whole = document(started.pid, f"{started.endpoint}/task")
    assert list(whole) == [key for key in (
        "Cluster", "TaskARN", "Family", "Revision", "DesiredStatus", "KnownStatus", "Limits", "PullStartedAt",
        "PullStoppedAt", "AvailabilityZone", "LaunchType", "Containers", "FaultInjectionEnabled") if key in whole]
    assert (whole["Cluster"], whole["TaskARN"], whole["Family"]) == ("default", started.arn, "curious")
    assert whole["Limits"] == {"CPU": 0.25, "Memory": 128}
    assert moment(whole["PullStartedAt"]) <= moment(whole["PullStoppedAt"])
    app, pause = whole["Containers"]
    assert app == seen
    assert pause["Name"] == "~internal~ecs~pause" and pause["Type"] == "CNI_PAUSE"
    assert pause["KnownStatus"] == "RESOURCES_PROVISIONED" and pause["Networks"] == seen["Networks"]
    assert ask(started.pid, "/v4/nobody")[0] == 404


def test_statistics_and_their_rate(host):
    """The first document has no rate, the second one has that of what came and went in between."""
    started = Started(host, define(host, WEB))
    first = document(started.pid, f"{started.endpoint}/stats")
    assert first["id"] == f"{started.id}-app-1" and first["name"].startswith("/ecs-curious-")
    assert first["preread"] == "0001-01-01T00:00:00Z"
    assert first["cpu_stats"]["cpu_usage"]["total_usage"] > 0 and first["memory_stats"]["usage"] > 0
    assert first["memory_stats"]["limit"] == 64 * 1024 * 1024
    assert first["pids_stats"]["current"] >= 1
    assert list(first["networks"]) == ["eth0"]
    assert "network_rate_stats" not in first

    # By its own address: what it asks of the agent does not pass eth0.
    assert get(f"http://{address(started.task)}/") == "hello from berth\n"
    second = document(started.pid, f"{started.endpoint}/stats")
    assert second["preread"] == first["read"] and moment(first["read"]) < moment(second["read"])
    assert second["precpu_stats"] == first["cpu_stats"]
    assert second["cpu_stats"]["cpu_usage"]["total_usage"] > first["cpu_stats"]["cpu_usage"]["total_usage"]
    assert second["networks"]["eth0"]["tx_bytes"] > first["networks"]["eth0"]["tx_bytes"]
    assert second["network_rate_stats"]["rx_bytes_per_sec"] > 0
    assert second["network_rate_stats"]["tx_bytes_per_sec"] > 0

    both = document(started.pid, f"{started.endpoint}/task/stats")
    assert list(both) == [f"{started.id}-app-1", f"{started.id}-pause"]
    assert both[f"{started.id}-pause"] == {}
    assert both[f"{started.id}-app-1"]["preread"] == second["read"]


def test_boto_obtains_the_credentials_of_the_role(host):
    """What an SDK does in the task, with nothing but the variable that the container was given."""
    started = Started(host, define(host, FOREVER))
    given = document(started.pid, started.credentials)
    assert list(given) == ["RoleArn", "AccessKeyId", "SecretAccessKey", "Token", "Expiration"]
    assert given["RoleArn"] == ROLE
    script = ("import boto3, json; found = boto3.Session().get_credentials(); frozen = found.get_frozen_credentials(); "
              "print(json.dumps([found.method, *frozen]))")
    found = json.loads(inside(
        started.pid, PYTHON, "-c", script, AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=started.credentials,
        HOME=host.directory, AWS_EC2_METADATA_DISABLED="true"))
    assert found == ["container-role", given["AccessKeyId"], given["SecretAccessKey"], given["Token"]]
    query = "/v1/credentials?id=" + started.credentials.split("/")[-1]
    assert document(started.pid, query) == given


def test_a_task_cannot_read_what_is_anothers(host):
    """Though it knows the ids."""
    definition = define(host, FOREVER)
    first, second = Started(host, definition), Started(host, definition)
    assert document(second.pid, f"{second.endpoint}/task")["TaskARN"] == second.arn
    for rest in ("", "/task", "/stats", "/task/stats"):
        assert ask(second.pid, first.endpoint + rest)[0] == 404
        assert ask(first.pid, first.endpoint + rest)[0] == 200
    status, body = ask(second.pid, first.credentials)
    assert status == 400 and json.loads(body)["code"] == "InvalidIdInRequest"
    assert ask(first.pid, first.credentials)[0] == 200
    assert first.credentials != second.credentials


def test_a_task_that_serves_port_80_itself(host):
    """Its own port 80 is its own, and the endpoint's is still the endpoint's."""
    started = Started(host, define(host, WEB))
    assert get(f"http://{address(started.task)}/") == "hello from berth\n"
    assert document(started.pid, f"{started.endpoint}/task")["TaskARN"] == started.arn
    assert document(started.pid, started.credentials)["RoleArn"] == ROLE


def test_requests_are_limited_per_task_and_path(lab):
    lab.image = lab.registry.image("web")
    lab.agent(ECS_TASK_METADATA_RPS_LIMIT="1,2").start()
    definition = define(lab, FOREVER)
    first, second = Started(lab, definition), Started(lab, definition)
    script = ("import sys, urllib.error, urllib.request\n"
              "for _ in range(30):\n"
              "    try:\n"
              "        print(urllib.request.urlopen(sys.argv[1], timeout=30).status)\n"
              "    except urllib.error.HTTPError as error:\n"
              "        print(error.code)\n")
    statuses = inside(first.pid, PYTHON, "-c", script, f"http://169.254.170.2{first.endpoint}").split()
    assert statuses[:2] == ["200", "200"] and "429" in statuses[2:]
    assert ask(first.pid, f"{first.endpoint}/task")[0] == 200
    assert ask(second.pid, second.endpoint)[0] == 200


def test_host_mode_by_the_agents_port(host):
    """tmds-48: by id, whoever asks; without an interface of its own, and without figures of one."""
    started = Started(host, define(host, FOREVER, mode="host"), awsvpc=False)
    base = f"http://127.0.0.1:{host.agents[0].settings['BERTH_METADATA_PORT']}"
    seen = json.loads(get(base + started.endpoint))
    assert seen["DockerId"] == f"{started.id}-app-1"
    assert seen["Networks"] == [{"NetworkMode": "host", "IPv4Addresses": [""]}]
    for _ in range(2):
        stats = json.loads(get(f"{base}{started.endpoint}/stats"))
        assert "networks" not in stats and "network_rate_stats" not in stats
    assert [found["Name"] for found in json.loads(get(f"{base}{started.endpoint}/task"))["Containers"]] == ["app"]
    assert json.loads(get(base + started.credentials))["RoleArn"] == ROLE


def test_introspection_finds_a_task_by_its_containers(host):
    """tmds-122, tmds-124."""
    started = Started(host, define(host, FOREVER))
    agent = host.agents[0]
    assert agent.introspect(f"/v1/tasks?dockerid={started.id}-app-1")["Arn"] == started.arn
    assert agent.introspect(f"/v1/tasks?dockerid={started.id[:12]}")["Arn"] == started.arn
    found, = agent.introspect(f"/v1/tasks?taskarn={started.arn}")["Containers"]
    assert found["Name"] == "app" and found["Networks"][0]["IPv4Addresses"] == [address(started.task)]
    assert container(started.task)["runtimeId"] == found["DockerId"]
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{agent.introspection}/v1/tasks?dockerid={started.id[:13]}", timeout=30)
        status = 200
    except urllib.error.HTTPError as error:
        status = error.code
    assert status == 404


def test_the_role_ends_with_the_task(lab):
    """tmds-30: while the task is still remembered, and its containers can be asked about."""
    lab.image = lab.registry.image("web")
    agent = lab.agent(ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION="15s").start()
    started = Started(lab, define(lab, FOREVER, mode="host"), awsvpc=False)
    base = f"http://127.0.0.1:{agent.settings['BERTH_METADATA_PORT']}"
    assert json.loads(get(base + started.credentials))["RoleArn"] == ROLE
    lab.stop_task(started.arn)
    lab.wait_status(started.arn, "STOPPED")
    assert json.loads(get(base + started.endpoint))["KnownStatus"] == "STOPPED"
    try:
        urllib.request.urlopen(base + started.credentials, timeout=30)
        body = {}
    except urllib.error.HTTPError as error:
        body = json.loads(error.read())
    assert body.get("code") == "InvalidIdInRequest"
