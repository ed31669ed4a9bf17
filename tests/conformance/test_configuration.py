# SPDX-License-Identifier: Apache-2.0
"""Where the agent's settings come from, what it says of them, and what changes while it runs."""
import http.server
import json
import os
import re
import signal
import subprocess
import threading

import pytest

from tests.lab.processes import free_port

BASE = {"AWS_DEFAULT_REGION": "us-west-2", "PATH": os.environ["PATH"]}


def run(program, *arguments, **environment):
    """What a run that only prints says: exit code, standard output, standard error."""
    environment = {name: value for name, value in {**BASE, **environment}.items() if value is not None}
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
        if name in os.environ:
            environment[name] = os.environ[name]
    done = subprocess.run([program, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=60)
    return done.returncode, done.stdout, done.stderr


def write(path, text):
    with open(path, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text if isinstance(text, str) else json.dumps(text))
    return str(path)


@pytest.mark.parametrize("arguments", [["-nope"], ["-h"], ["-help"], ["--nope"], ["-loglevel"], ["-k=maybe"], ["more"]])
def test_wrong_options(program, arguments):
    """cfg-C31"""
    code, out, err = run(program, *arguments)
    assert (code, out) == (5, "") and "usage: berth-agent" in err


def test_options_that_print(program):
    assert run(program, "--help")[0] == 0
    for version in ("-version", "--version", "-v", "-version=true"):
        code, out, _ = run(program, version)
        assert code == 0 and out.startswith("berth-agent ")
    code, out, _ = run(program, "-version", "-license", "-nothing=1")
    assert code == 5
    code, out, _ = run(program, "-version", "-license")
    assert code == 0 and "Apache License" in out and out.rstrip().endswith("limitations under the License.")
    code, out, _ = run(program, "-ecs-attributes", "-c", "", ECS_CLUSTER="c")
    assert code == 0
    lines = [line.split("\t") for line in out.splitlines()]
    assert all(len(line) == 2 for line in lines)
    assert ["com.amazonaws.ecs.capability.docker-remote-api.1.19", ""] in lines
    assert run(program, "-ecs-attributes", "-c", "", ECS_CLUSTER="c", ECS_INSTANCE_ATTRIBUTES="[]")[0] == 1


def sources(out):
    return dict(re.fullmatch(r"(\w+)=.* \((.*)\)", line).groups() for line in out.splitlines())


def test_check_config_names_every_source(program, tmp_path):
    env_file = write(tmp_path / "ecs.config", "ECS_CLUSTER=c\nECS_LOGLEVEL=info\n")
    json_file = write(tmp_path / "ecs.config.json", {"DisableMetrics": True, "EngineAuthData": {"r": "hunter2"}})
    code, out, err = run(program, "-config", env_file, "-check-config", "-loglevel", "debug",
                         ECS_AGENT_CONFIG_FILE_PATH=json_file, ECS_RESERVED_MEMORY="64", ECS_CHECKPOINT="banana",
                         ECS_UPDATES_ENABLED="true")
    assert code == 0 and "hunter2" not in out + err
    named = sources(out)
    assert named["ECS_LOGLEVEL"] == "command line" and named["ECS_CLUSTER"] == env_file
    assert named["ECS_DISABLE_METRICS"] == json_file and named["ECS_RESERVED_MEMORY"] == "environment"
    assert named["ECS_DATADIR"] == "default"
    assert 'warning: ECS_CHECKPOINT: "banana" is not allowed' in err
    assert "ignored: ECS_UPDATES_ENABLED (environment) has no effect: " in err


def test_check_config_names_all_mistakes(program, tmp_path):
    json_file = write(tmp_path / "ecs.config.json", {"Checkpoint": "true", "DockerStopTimeout": 1})
    wrong = {"ECS_INSTANCE_ATTRIBUTES": "x", "BERTH_BRIDGE": "a/b", "AWS_DEFAULT_REGION": None,
             "ECS_AGENT_CONFIG_FILE_PATH": json_file, "AWS_SECRET_ACCESS_KEY": "hunter2"}
    code, out, err = run(program, "-c", "", "--check-config", **wrong)
    assert code == 1 and "BERTH_BRIDGE=a/b (environment)" in out
    mistakes = [line for line in err.splitlines() if "mistake: " in line]
    assert len(mistakes) == 6, err
    for name in ("Checkpoint", "ECS_CONTAINER_STOP_TIMEOUT", "ECS_INSTANCE_ATTRIBUTES", "BERTH_BRIDGE", "AWS_DEFAULT_REGION",
                 "AWS_ACCESS_KEY_ID"):
        assert any(name in line for line in mistakes), name
    code, out, err = run(program, "-c", "", "--check-config", "--json", **wrong)
    said = json.loads(out)
    assert code == 1 and err == "" and len(said["mistakes"]) == 6 and "hunter2" not in out
    assert {"name": "BERTH_BRIDGE", "value": "a/b", "source": "environment"} in said["settings"]
    assert {"name": "AWS_SECRET_ACCESS_KEY", "value": "(set)", "source": "environment"} in said["settings"]


class Metadata(http.server.BaseHTTPRequestHandler):
    """The instance metadata service, with a region and user data."""
    answers = {"/latest/meta-data/placement/region": "us-west-2",
               "/latest/user-data": '{"ECSAgentConfiguration":{"Cluster":"of-user-data","DisableMetrics":true}}'}

    def do_PUT(self):
        self.answer("token")

    def do_GET(self):
        self.server.asked.append(self.path)
        self.answer(self.answers.get(self.path))

    def answer(self, text):
        self.send_response(200 if text is not None else 404)
        self.send_header("X-aws-ec2-metadata-token-ttl-seconds", "300")
        body = (text or "").encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def metadata():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_instance_metadata_and_user_data(program, metadata):
    endpoint = f"http://127.0.0.1:{metadata.server_port}"
    code, out, err = run(program, "-c", "", "--check-config", AWS_DEFAULT_REGION=None,
                         AWS_EC2_METADATA_SERVICE_ENDPOINT=endpoint, ECS_DISABLE_METRICS="false")
    assert code == 0, err
    assert "AWS_DEFAULT_REGION=us-west-2 (instance metadata)" in out and "ECS_CLUSTER=of-user-data (user data)" in out
    assert "ECS_DISABLE_METRICS=false (environment)" in out
    assert sorted(metadata.asked) == ["/latest/meta-data/placement/region", "/latest/user-data"]
    metadata.asked.clear()
    code, out, err = run(program, "-c", "", "--check-config", "-blackhole-ec2-metadata",
                         AWS_EC2_METADATA_SERVICE_ENDPOINT=endpoint)
    assert code == 0 and "ECS_CLUSTER= (default)" in out and metadata.asked == []


@pytest.mark.parametrize("text, named", [
    ('{"Checkpoint":"true"}', "Checkpoint: must be a boolean"),     # cfg-C24
    ('{"Cluster"', "not valid JSON"),
    ('{"AWSRegion":"us-west-2"}', "with ECS_EXTERNAL it must be"),  # cfg-C7
])
def test_mistakes_of_the_json_file_end_it(agent, peer, text, named):
    """cfg-C7, cfg-C24"""
    path = write(os.path.join(agent.directory, "ecs.config.json"), text)
    settings = {"ECS_EXTERNAL": "true", "AWS_DEFAULT_REGION": None} if "EXTERNAL" in named else {}
    agent.start(ECS_AGENT_CONFIG_FILE_PATH=path, **settings)
    assert agent.wait() == 1
    assert peer.calls == [] and named in agent.text()


def test_the_log_level_of_an_option(agent, peer):
    """cfg-C34"""
    agent.arguments += ["-loglevel", "debug"]
    agent.start(ECS_LOGLEVEL="error")
    peer.acs.next()
    assert "level=debug " in agent.text()


def test_a_log_driver_keeps_the_file_silent(agent, peer):
    """cfg-C33"""
    log = os.path.join(agent.directory, "agent.log")
    agent.start(ECS_LOG_DRIVER="syslog", ECS_LOGFILE=log)
    peer.acs.next()
    assert agent.stop() == 0
    assert os.path.getsize(log) == 0 and 'msg="registered"' in agent.text()
    agent.start(ECS_LOGLEVEL_ON_INSTANCE="info")
    peer.acs.next()
    assert agent.stop() == 0
    with open(log) as file:
        said = file.read()
    assert 'msg="starting"' in said and "level=debug" not in said


def reload(agent, times):
    agent.process.send_signal(signal.SIGHUP)
    pytest.wait_until(lambda: agent.text().count("the settings are read again") == times, what="reading the settings again")


def test_settings_that_change_while_it_runs(agent, peer):
    """SIGHUP: what can change does, what cannot is named; with a mistake nothing changes."""
    path = os.path.join(agent.directory, "ecs.config")
    agent.arguments = ["-config", write(path, "ECS_LOGLEVEL=info\nECS_TASK_METADATA_RPS_LIMIT=1,60\n")]
    # The supervisor has read the file, too: that is no environment of one's own.
    agent.start(ECS_LOGLEVEL="info", BERTH_METADATA_PORT=free_port(), ECS_RESERVED_PORTS="[22]")
    acs = peer.acs.next()
    for _ in range(5):
        assert agent.metadata("/nosuch")[0] == 404
    assert "level=debug" not in agent.text()

    write(path, "ECS_LOGLEVEL=debug\nECS_TASK_METADATA_RPS_LIMIT=1,2\nECS_CONTAINER_STOP_TIMEOUT=7s\nECS_CLUSTER=another\n"
                "ECS_RESERVED_MEMORY=1\nECS_RESERVED_PORTS=[23]\n")
    agent.settings.pop("ECS_LOGLEVEL")
    reload(agent, 1)
    text = agent.text()
    for change in ("ECS_LOGLEVEL: info -> debug", "ECS_TASK_METADATA_RPS_LIMIT: 1,60 -> 1,2",
                   "ECS_CONTAINER_STOP_TIMEOUT: 30s -> 7s"):
        assert f'msg="a setting has changed" setting="{change}"' in text
    assert 'msg="a setting has changed and needs a restart of the agent" setting="ECS_RESERVED_MEMORY: 0 -> 1"' in text
    # The environment goes before the file, still.
    assert "ECS_RESERVED_PORTS" not in text and "ECS_CLUSTER:" not in text
    assert 'changed=3 need_restart=1' in text
    acs.send(json.dumps({"type": "HeartbeatMessage", "message": {"messageId": "m"}}), opcode=2)
    pytest.wait_until(lambda: "level=debug" in agent.text(), what="a record of the new level")
    answers = [agent.metadata("/nosuch")[0] for _ in range(20)]
    assert answers.count(404) < 10 and answers.count(429) > 10

    write(path, "ECS_LOGLEVEL=error\nECS_INSTANCE_ATTRIBUTES=wrong\n")
    reload(agent, 2)
    text = agent.text()
    assert 'msg="the settings are read again, and nothing changes"' in text and "ECS_INSTANCE_ATTRIBUTES" in text
    assert "debug -> error" not in text

    write(path, "ECS_LOGLEVEL=debug\nECS_LOG_OUTPUT_FORMAT=json\nECS_CONTAINER_STOP_TIMEOUT=7s\nECS_RESERVED_MEMORY=1\n")
    reload(agent, 3)
    assert json.loads(agent.text().splitlines()[-1])["level"] in ("debug", "info")
    assert agent.is_running()
