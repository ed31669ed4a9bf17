# SPDX-License-Identifier: Apache-2.0
"""Security groups as the programs of real tasks feel them: made with EC2's calls, enforced with nftables on the host."""
import json
import os
import re
import subprocess

import pytest

from tests.e2e.test_endpoints import PYTHON, inside
from tests.e2e.test_first_task import FOREVER, WEB, address, main_pid
from tests.lab.berth import program, wait_for
from tests.lab.processes import catches

VPC, SUBNET, PORT = "vpc-berth", "subnet-berth", 80
ANSWER, TIMEOUT = "hello from berth", "TimeoutError"
ASK = """
import socket, sys
try:
    connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), 1)
except OSError as error:
    sys.exit(print(type(error).__name__))
if len(sys.argv) > 3:
    print("open", flush=True)
    sys.stdin.readline()
connection.settimeout(30)  # the kernel connects; the server may have to wait for its turn
connection.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
print(connection.makefile().read().split("\\n")[-2])
"""


@pytest.fixture
def groups(host):
    """Two groups that nobody is let into."""
    ec2 = host.control.boto("ec2")
    return [ec2.create_security_group(GroupName=name, Description=name, VpcId=VPC)["GroupId"] for name in ("web", "client")]


@pytest.fixture
def ec2(host):
    return host.control.boto("ec2")


def start(host, command, group=None):
    """A task in that group that runs, or in the default one."""
    configuration = {"subnets": [SUBNET], **({"securityGroups": [group]} if group else {})}
    definition = host.define("grouped", [{"image": host.image, "command": command}])
    arn = host.run(definition, networkConfiguration={"awsvpcConfiguration": configuration})[0]
    return host.wait_ready(arn)


def asked(host, task, of):
    """The answer of another task's web server, or the name of the error."""
    return inside(main_pid(host, task["taskArn"]), PYTHON, "-c", ASK, address(of), str(PORT)).strip()


def tables():
    listed = json.loads(subprocess.run(["nft", "-j", "list", "tables"], stdout=subprocess.PIPE, check=True).stdout)
    return [found["table"]["name"] for found in listed["nftables"] if "table" in found]


def firewalls():
    return [name for name in tables() if name.startswith("berth-firewall")]


def rule(group, **more):
    return {"GroupId": group, "IpPermissions": [{"IpProtocol": "tcp", "FromPort": PORT, "ToPort": PORT, **more}]}


def test_a_group_is_let_in_while_a_rule_says_so(host, ec2, groups):
    """net-T57."""
    web_group, client_group = groups
    web, client = start(host, WEB, web_group), start(host, FOREVER, client_group)
    other = start(host, FOREVER)
    assert asked(host, client, web) == TIMEOUT
    from_client = rule(web_group, UserIdGroupPairs=[{"GroupId": client_group}])
    ec2.authorize_security_group_ingress(**from_client)
    wait_for("the rule to be in force", lambda: asked(host, client, web) == ANSWER)
    assert asked(host, other, web) == TIMEOUT, "it is no member"
    # A member more, that comes while the rule is there, is let in by its first packet.
    assert asked(host, start(host, FOREVER, client_group), web) == ANSWER

    # What is established goes on when its rule goes.
    with subprocess.Popen(["nsenter", "-t", str(main_pid(host, client["taskArn"])), "-n", PYTHON, "-c", ASK, address(web),
                           str(PORT), "wait"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as flow:
        try:
            assert flow.stdout.readline() == "open\n"
            ec2.revoke_security_group_ingress(**from_client)
            wait_for("the rule to be gone", lambda: asked(host, client, web) == TIMEOUT)
            assert flow.communicate("\n", 60)[0] == ANSWER + "\n"
        finally:
            flow.kill()

    for task in (web, client, other):
        host.stop_task(task["taskArn"])
        host.wait_status(task["taskArn"], "STOPPED")
    assert len(firewalls()) == 1, "one task is left"


def test_what_goes_out_needs_a_rule(host, ec2, groups):
    web, client = start(host, WEB), start(host, FOREVER, groups[1])
    wait_for("the server", lambda: asked(host, client, web) == ANSWER)
    ec2.revoke_security_group_egress(GroupId=groups[1], IpPermissions=[{"IpProtocol": "-1", "IpRanges": [
        {"CidrIp": "0.0.0.0/0"}]}])
    wait_for("the rule to be gone", lambda: asked(host, client, web) == TIMEOUT)


def test_nothing_is_left_when_the_last_task_has_stopped(host, groups):
    before = tables()
    web = start(host, WEB, groups[0])
    assert len(firewalls()) == 1
    host.stop_task(web["taskArn"])
    host.wait_status(web["taskArn"], "STOPPED")
    wait_for("the table to go", lambda: tables() == before)


def test_rules_stay_in_force_without_the_agent(host, ec2, groups):
    agent = host.agents[0]
    web, client = start(host, WEB, groups[0]), start(host, FOREVER, groups[1])
    pid = main_pid(host, client["taskArn"])

    def outcome():
        return inside(pid, PYTHON, "-c", ASK, address(web), str(PORT)).strip()

    agent.kill()
    assert outcome() == TIMEOUT
    # What changed meanwhile is told to the agent that comes back.
    ec2.authorize_security_group_ingress(**rule(groups[0], IpRanges=[{"CidrIp": "10.0.0.0/8"}]))
    assert outcome() == TIMEOUT
    agent.start()
    wait_for("the rule to be in force", lambda: outcome() == ANSWER)
    agent.stop()
    assert len(firewalls()) == 1 and outcome() == ANSWER
    agent.start()


def test_a_ruleset_that_another_has_flushed_comes_back(host, ec2, groups):
    agent = host.agents[0]
    web, client = start(host, WEB, groups[0]), start(host, FOREVER, groups[1])
    table, = firewalls()
    subprocess.run(["nft", "delete", "table", "inet", table], check=True)
    wait_for("the server", lambda: asked(host, client, web) == ANSWER)
    start(host, FOREVER, groups[1])
    assert asked(host, client, web) == TIMEOUT
    assert "they are written anew" in agent.daemon.text()


def test_two_agents_of_one_host_have_a_table_each(host, groups):
    host.control.call("CreateCluster", clusterName="second")
    second = host.agent(ECS_CLUSTER="second").start()
    web, client = start(host, WEB, groups[0]), start(host, FOREVER, groups[1])
    definition = host.define("second", [{"image": host.image, "command": FOREVER}])
    other = host.run(definition, cluster="second")[0]
    wait_for("the second task to handle SIGTERM", lambda: catches(second.process(other)))
    assert len(firewalls()) == 2 and asked(host, client, web) == TIMEOUT
    host.stop_task(other)
    host.wait_status(other, "STOPPED")
    wait_for("the second table to go", lambda: len(firewalls()) == 1)
    assert asked(host, client, web) == TIMEOUT


def test_an_agent_that_moves_devices_announces_nothing(lab):
    lab.agent(BERTH_ENI_DRIVER="eni").start()
    lab.agent().start()
    names = [{attribute["name"] for attribute in instance["attributes"]} for instance in lab.instances()]
    assert sorted("berth.capability.network" in found for found in names) == [False, True]


# In the place of ecs-eni: another link gets the name that the host's end would have.
NAMESAKE = """#!/usr/bin/python3
import json, os, subprocess, sys
config = sys.stdin.read()
def run(command):
    return subprocess.run(["%s"], input=config, env=dict(os.environ, CNI_COMMAND=command), stdout=subprocess.PIPE, text=True)
done = run(os.environ["CNI_COMMAND"])
if os.environ["CNI_COMMAND"] == "ADD":
    name, = [link["name"] for link in json.loads(done.stdout)["interfaces"] if not link.get("sandbox")]
    run("DEL")
    subprocess.run(["/usr/sbin/ip", "link", "add", name, "type", "bridge"], check=True)
    done = run("ADD")
print(done.stdout)
sys.exit(done.returncode)
"""


def test_a_link_that_no_rule_knows_is_no_tasks(lab, tmp_path):
    """Another link has the name that the rules are for: the task is not started without them."""
    own = program("ecs-eni")
    path = tmp_path / "ecs-eni"
    path.write_text(NAMESAKE % own)
    path.chmod(0o755)
    lab.image = lab.registry.image("web")
    lab.agent(ECS_CNI_PLUGINS_PATH=f"{tmp_path}:{os.path.dirname(own)}").start()
    arn = lab.run(lab.define("namesake", [{"image": lab.image, "command": FOREVER}]))[0]
    reason = lab.wait_status(arn, "STOPPED", 60)["stoppedReason"]
    found = re.search("host's end of interface eth0 is ve[0-9a-f]{8}, and (ve[0-9a-f]{8}) is what the rules of its network are for", reason)
    assert found and "ContainerNetworkingError" in reason, reason
    subprocess.run(["ip", "link", "del", found[1]], check=True)
