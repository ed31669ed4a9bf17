# SPDX-License-Identifier: Apache-2.0
"""Registration and exit codes."""
import os
import re
import signal
import sqlite3
import subprocess

import pytest

import messages
import peer as peers

RCI = "RegisterContainerInstance"


def register(agent, peer):
    agent.start()
    peer.acs.next()
    return peer.called(RCI)[-1][2]


def test_request(agent, peer):
    """cfg-R1, cfg-R36: the peer verifies the signatures; User-Agent is not signed"""
    agent.settings["ECS_INSTANCE_ATTRIBUTES"] = '{"stack":"prod"}'
    agent.settings["ECS_CONTAINER_INSTANCE_TAGS"] = '{"team":"a"}'
    body = register(agent, peer)
    headers = peer.called(RCI)[0][3]
    assert re.fullmatch(r"Amazon ECS Agent - v\S+ \(\S+\) \(linux; LINUX\) \(\+http://aws.amazon.com/ecs/\)",
                        headers["user-agent"])
    assert "user-agent" not in headers["authorization"]
    assert body["cluster"] == "demo" and "containerInstanceArn" not in body and "versionInfo" not in body
    assert body["attributes"][0] == {"name": "stack", "value": "prod"}
    assert body["tags"] == [{"key": "team", "value": "a"}]
    assert [resource["name"] for resource in body["totalResources"]] == ["CPU", "MEMORY", "PORTS", "PORTS_UDP"]
    assert body["totalResources"][0]["integerValue"] == 1024 * len(os.sched_getaffinity(0))
    assert body["totalResources"][2]["stringSetValue"] == ["22", "2375", "2376", "51678", "51679"]  # cfg-C1
    assert body["totalResources"][3]["stringSetValue"] == []


def test_register_again(agent, peer):
    """cfg-R10"""
    agent.settings["ECS_INSTANCE_ATTRIBUTES"] = '{"stack":"prod"}'
    register(agent, peer)
    assert agent.stop() == 0
    body = register(agent, peer)
    assert body["containerInstanceArn"] == peers.INSTANCE
    assert "stack" not in [attribute["name"] for attribute in body["attributes"]]


def test_default_cluster_is_made(agent, peer):
    """cfg-R2"""
    peer.refuse(RCI, "ClientException", "Cluster not found.")
    agent.start(ECS_CLUSTER=None)
    peer.acs.next()
    calls = [(call[1], call[2]) for call in peer.calls][:3]
    assert [name for name, _ in calls] == [RCI, "CreateCluster", RCI]
    assert calls[1][1] == {"clusterName": "default"}
    assert calls[0][1]["clientToken"] == calls[2][1]["clientToken"]
    assert calls[2][1]["cluster"] == "default"


@pytest.mark.parametrize("name, message, code", [
    ("ClientException", "Cluster not found.", 5),   # cfg-R3
    ("InvalidParameterException", "no", 5),
    ("AccessDeniedException", "no", 1),              # cfg-R6
    ("UnrecognizedClientException", "no", 1),
])
def test_refusals(agent, peer, name, message, code):
    """cfg-R3, cfg-R6"""
    peer.refuse(RCI, name, message)
    agent.start()
    assert agent.wait() == code
    assert len(peer.called(RCI)) == 1 and peer.called("CreateCluster") == []
    assert name in agent.text()


def test_attribute_echo(agent, peer):
    """cfg-R8, acs-S16"""
    def forgetful(body):
        status, answer = peer._default(RCI, body)
        answer["containerInstance"]["attributes"] = [attribute for attribute in body["attributes"]
                                                     if attribute["name"] != "stack"]
        return status, answer

    peer.answers[RCI] = forgetful
    agent.start(ECS_INSTANCE_ATTRIBUTES='{"stack":"prod"}')
    assert agent.wait() == 5


def test_names_need_no_echo(agent, peer):
    """cfg-R9"""
    def sparing(body):
        status, answer = peer._default(RCI, body)
        answer["containerInstance"]["attributes"] = [attribute for attribute in body["attributes"]
                                                     if attribute.get("value")]
        return status, answer

    peer.answers[RCI] = sparing
    register(agent, peer)


def test_type_changed(agent, peer):
    """cfg-R11"""
    register(agent, peer)
    agent.stop()
    peer.refuse(RCI, "FooException", "Container instance type changes are not supported.")
    agent.start()
    assert agent.wait() == 5


@pytest.mark.parametrize("other", ["elsewhere", peers.CLUSTER])
def test_cluster_changed(agent, peer, other):
    """cfg-R12, cfg-R13"""
    register(agent, peer)
    agent.stop()
    calls = len(peer.calls)
    agent.start(ECS_CLUSTER=other)
    assert agent.wait() == 5
    assert len(peer.calls) == calls
    assert "the saved state belongs to cluster demo" in agent.text()


def test_control_plane_is_down(agent, peer):
    """cfg-R7"""
    peer.stop()
    agent.start(ECS_BACKEND_HOST="http://127.0.0.1:1", BERTH_TIME_SCALE=100)
    assert agent.wait() == 1
    assert "POST http://127.0.0.1:1/: connect: Connection refused" in agent.text().splitlines()[-1]


def test_checkpoint(agent, peer):
    """cfg-C2, cfg-C3"""
    register(agent, peer)
    agent.stop()
    database = os.path.join(agent.settings["ECS_DATADIR"], "agent.db")
    assert os.stat(database).st_mode & 0o777 == 0o600
    os.unlink(database)
    agent.settings["ECS_CHECKPOINT"] = "false"
    for _ in range(2):
        assert "containerInstanceArn" not in register(agent, peer)
        assert agent.stop() == 0
    assert not os.path.exists(database)


def test_two_agents_on_one_directory(connected, peer):
    agent, _ = connected
    first = agent.process
    agent.start()
    assert agent.wait() == 5
    agent.process = first
    assert str(agent.process.pid) in agent.text(), "it says who holds the directory"
    assert agent.is_running()


def test_damaged_state(agent, peer):
    """A database that is none: the agent says so and does not start over as another instance."""
    os.makedirs(agent.settings["ECS_DATADIR"])
    with open(os.path.join(agent.settings["ECS_DATADIR"], "agent.db"), "wb") as database:
        database.write(b"garbage " * 1000)
    agent.start()
    assert agent.wait() == 1
    assert "agent.db" in agent.text() and "not a database" in agent.text()
    assert peer.calls == []
    with pytest.raises(sqlite3.DatabaseError):
        sqlite3.connect(os.path.join(agent.settings["ECS_DATADIR"], "agent.db")).execute("select * from sqlite_master")


def test_stop_in_order(connected):
    """cfg-S1 for an agent without tasks"""
    agent, _ = connected
    assert agent.stop() == 0


def test_dump(agent, peer):
    """cfg-S3: what each task waits for, also in a log that is silent otherwise; the agent runs on"""
    agent.start(ECS_LOGLEVEL="crit")
    acs = peer.acs.next()
    messages.payload(acs, "m1", messages.task("5e0c"))
    messages.expect_ack(acs, "m1")
    assert agent.text() == ""
    agent.process.send_signal(signal.SIGUSR1)
    pytest.wait_until(lambda: "state: end" in agent.text())
    first, *tasks, last = agent.text().splitlines()
    assert "state: begin" in first and 'acs="connected"' in first and "tasks=1" in first and "state: end" in last
    assert len(tasks) == 1 and 'task="5e0c"' in tasks[0] and "waits for the pull of its image" in tasks[0]
    acs.heartbeat(messageId="still")
    assert acs.next(kind="HeartbeatAckRequest")["message"] == {"messageId": "still"}


MISTAKES = [
    ({"AWS_DEFAULT_REGION": None}, "AWS_DEFAULT_REGION"),                                             # cfg-C5
    ({"AWS_DEFAULT_REGION": "  "}, "AWS_DEFAULT_REGION"),                                             # cfg-C6
    ({"ECS_INSTANCE_ATTRIBUTES": "notjson"}, "ECS_INSTANCE_ATTRIBUTES"),                              # cfg-C8
    ({"ECS_INSTANCE_ATTRIBUTES": '{"a":1}'}, "ECS_INSTANCE_ATTRIBUTES"),
    ({"ECS_INSTANCE_ATTRIBUTES": " "}, "ECS_INSTANCE_ATTRIBUTES"),
    ({"ECS_CONTAINER_INSTANCE_TAGS": "[1]"}, "ECS_CONTAINER_INSTANCE_TAGS"),                          # cfg-C9
    ({"ECS_AVAILABLE_LOGGING_DRIVERS": '["bogus"]'}, "bogus"),                                        # cfg-C11
    ({"ECS_RESERVED_MEMORY": "65535", "BERTH_HOST_MEMORY": "100"}, "ECS_RESERVED_MEMORY"),            # cfg-C22
    ({"BERTH_ENI_DRIVER": "magic"}, "one of veth, eni"),
]


@pytest.mark.parametrize("settings, named", MISTAKES)
def test_mistakes_end_it(agent, peer, settings, named):
    """cfg-C5, cfg-C6, cfg-C8, cfg-C9, cfg-C11, cfg-C22: exit 1, nothing sent, the setting named"""
    agent.start(**settings)
    assert agent.wait() == 1
    assert peer.calls == []
    assert named in agent.text()


@pytest.mark.parametrize("settings", [
    {"ECS_CHECKPOINT": "banana"},                          # cfg-C4
    {"ECS_AVAILABLE_LOGGING_DRIVERS": '["json'},           # cfg-C12
    {"ECS_RESERVED_MEMORY": "70000"},                      # cfg-C21
    {"ECS_CONTAINER_STOP_TIMEOUT": "30"},                  # cfg-C14
])
def test_lesser_mistakes_are_warned_about(agent, peer, settings):
    """cfg-C4, cfg-C12, cfg-C14, cfg-C21"""
    agent.start(**settings)
    peer.acs.next()
    assert next(iter(settings)) in agent.text()


def test_trailing_blanks_of_a_cluster(agent, peer):
    """cfg-C27"""
    agent.settings["ECS_CLUSTER"] = "demo\r"
    assert register(agent, peer)["cluster"] == "demo"


@pytest.mark.parametrize("flag", ["--nope", "-Z"])
def test_unknown_flags(program, flag):
    """cfg-C31, for what is unknown"""
    done = subprocess.run([program, flag], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 5 and "usage:" in done.stderr


def test_reference_and_check(program):
    """The reference comes from the code; --check-config shows what is in force, and no secret."""
    done = subprocess.run([program, "--print-config-reference"], stdout=subprocess.PIPE, text=True, check=True)
    assert "| `ECS_CONTAINER_STOP_TIMEOUT` | `DockerStopTimeout` | `30s` |" in done.stdout
    environment = {"AWS_REGION": "r", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "hunter2"}
    done = subprocess.run([program, "--config", "", "--check-config"], env=environment, stdout=subprocess.PIPE,
                          text=True, check=True)
    assert "AWS_SECRET_ACCESS_KEY=(set) (environment)" in done.stdout and "hunter2" not in done.stdout
