# SPDX-License-Identifier: Apache-2.0
"""Nothing is lost and nothing is started twice, whatever is killed."""
import json
import os
import random
import threading
import time

import pytest

from tests.e2e.test_endpoints import ROLE, Started, ask, define
from tests.e2e.test_first_task import FOREVER, WEB, address, container, get, main_pid, shared, touch
from tests.lab.berth import wait_for

GATED = "until [ -e /gate/open ]; do sleep 0.1; done; "


def test_killed_agent_changes_nothing(host):
    """eng-78: same process, same address, same metadata id; the task can still be stopped, with its exit code."""
    arn = host.run(host.define("web", [{"image": host.image, "command": WEB}]))[0]
    task = host.wait_ready(arn)
    before = main_pid(host, arn)
    agent = host.agents[0]
    agent.kill()
    assert get(f"http://{address(task)}/") == "hello from berth\n"
    agent.start()
    wait_for("the adopted task", lambda: agent.introspect("/v1/tasks")["Tasks"])
    assert main_pid(host, arn) == before
    assert get(f"http://{address(task)}/") == "hello from berth\n"
    host.stop_task(arn)
    assert container(host.wait_status(arn, "STOPPED"))["exitCode"] == 42


def test_exit_while_the_agent_was_dead_is_reported(host):
    """eng-79, eng-98."""
    gate, mount, volume = shared(host, "gate")
    arn = host.run(host.define("soon", [{"image": host.image, "command": ["sh", "-c", GATED + "exit 7"], **mount}],
                               **volume))[0]
    host.wait_status(arn, "RUNNING")
    agent = host.agents[0]
    pid = main_pid(host, arn)
    agent.kill()
    touch(gate, "open")
    wait_for("the container's end", lambda: not os.path.exists(f"/proc/{pid}"))
    agent.start()
    task = host.wait_status(arn, "STOPPED")
    assert container(task)["exitCode"] == 7


def test_restarted_agent_serves_metadata_again(host):
    started = Started(host, define(host, FOREVER))
    before = ask(started.pid, started.endpoint)
    assert before[0] == 200
    host.agents[0].kill()
    host.agents[0].start()
    assert ask(started.pid, started.endpoint) == before


@pytest.mark.lab(state="file")
def test_credentials_after_a_restart_come_from_the_control_plane(lab):
    """
    acs-M22: they are not kept on disk. Until the control plane is there to send them again the answer is 503, which tells an
    SDK to try again.
    """
    lab.image = lab.registry.image("web")
    agent = lab.agent().start()
    started = Started(lab, define(lab, FOREVER))
    status, body = ask(started.pid, started.credentials)
    assert status == 200 and json.loads(body)["RoleArn"] == ROLE
    lab.control.stop()
    agent.kill()
    agent.start(wait=False)

    def refused():
        status, body = ask(started.pid, started.credentials)
        return status == 503 and body
    refusal = json.loads(wait_for("503", refused))
    assert refusal == {"code": "CredentialsUninitialized", "message": "CredentialsV2Request: Credentials uninitialized for ID",
                       "HTTPErrorCode": 503}
    lab.control.start()
    wait_for("the agent to be back", agent.connected)
    wait_for("credentials", lambda: ask(started.pid, started.credentials)[0] == 200)
    assert json.loads(ask(started.pid, started.credentials)[1])["RoleArn"] == ROLE


@pytest.mark.parametrize("seed", range(int(os.environ.get("BERTH_SEEDS", "6"))))
def test_agent_killed_at_any_moment(host, seed):
    """acs-M4, eng-81, eng-82: killed again and again while tasks come and go; each runs once and reports its own code."""
    rng = random.Random(seed)
    runs, mount, volume = shared(host, "runs")
    count = 4
    definitions = []
    for code in range(count):
        # Each start leaves a mark; two marks would be two starts.
        definitions.append(host.define(f"once{code}", [{"image": host.image, "command": [
            "sh", "-c", f"echo x >> /runs/{code}; sleep 0.{rng.randrange(1, 9)}; exit {code + 10}"], **mount}], **volume))
    agent = host.agents[0]
    arns = [host.run(definition)[0] for definition in definitions]
    for _ in range(5):
        time.sleep(rng.uniform(0, 0.12))
        agent.kill()
        agent.start(wait=False)
    for code, arn in enumerate(arns):
        task = host.wait_status(arn, "STOPPED")
        assert container(task).get("exitCode") == code + 10, json.dumps(task, indent=1)
        with open(os.path.join(runs, str(code))) as file:
            assert file.read() == "x\n", "started twice"


MOMENTS = ("PULL_IMAGE", "OPEN_NETNS", "ATTACH_NETWORK", "CREATE_CONTAINER", "START_CONTAINER", "PROBE_HEALTH",
           "STOP_CONTAINER", "TEAR_DOWN_NETWORK", "REMOVE_CONTAINER", "CLEAN_UP_TASK")


@pytest.mark.parametrize("moment", MOMENTS)
def test_agent_told_to_stop_in_the_middle(host, moment):
    """It ends well at once whatever is under way (of what it forgets to free a sanitizer tells), and the next one goes on."""
    runs, mount, volume = shared(host, "runs")
    app = {"image": host.image, **mount, "command": [
        "sh", "-c", "trap 'exit 42' TERM; echo x >> /runs/started; while :; do sleep 0.1; done"]}
    if moment == "PROBE_HEALTH":
        app["healthCheck"] = {"command": ["CMD-SHELL", "sleep 2"], "interval": 5, "timeout": 4}
    definition = host.define("told", [app], **volume)
    agent = host.agents[0]
    arn = host.run(definition)[0]
    line = f'msg="effect" effect="{moment}" task="{arn.split("/")[-1]}"'
    if moment in MOMENTS[MOMENTS.index("STOP_CONTAINER"):]:
        host.wait_status(arn, "RUNNING")
        wait_for("its mark", lambda: os.path.exists(os.path.join(runs, "started")))
        host.stop_task(arn)
    wait_for(line, lambda: line in agent.daemon.text(), every=0.001)
    assert agent.stop() == 0, agent.daemon.text()[-10000:]
    agent.start()
    if moment in MOMENTS[:MOMENTS.index("STOP_CONTAINER")]:
        host.wait_status(arn, "RUNNING")
        wait_for("its mark", lambda: os.path.exists(os.path.join(runs, "started")))
        host.stop_task(arn)
    assert container(host.wait_status(arn, "STOPPED")).get("exitCode") == 42
    with open(os.path.join(runs, "started")) as file:
        assert file.read() == "x\n", "started twice"


@pytest.mark.lab(state="file", scale=0.02)
def test_control_plane_away_for_minutes(lab):
    """
    eng-83, acs-S11: what happened meanwhile is reported when it is back; nothing stops because of it. A minute of either side
    is 1.2 s here: sessions, their deadlines and their back-off see five of them.
    """
    image = lab.registry.image("web")
    gate, mount, volume = shared(lab, "gate")
    agent = lab.agent(BERTH_TIME_SCALE="50").start()
    stays = lab.run(lab.define("stays", [{"image": image, "command": FOREVER}]))[0]
    ends = lab.run(lab.define("ends", [{"image": image, "command": ["sh", "-c", GATED + "exit 5"], **mount}], **volume))[0]
    lab.wait_status(stays, "RUNNING")
    lab.wait_status(ends, "RUNNING")
    before, ending = main_pid(lab, stays), main_pid(lab, ends)
    lab.control.daemon.kill()
    began = time.monotonic()
    touch(gate, "open")
    wait_for("the container's end", lambda: not os.path.exists(f"/proc/{ending}"))
    time.sleep(max(0, began + 5 * 60 / 50 - time.monotonic()))  # the length of the outage is what is tried
    assert agent.daemon.alive() and main_pid(lab, stays) == before
    lab.control.start()
    task = lab.wait_status(ends, "STOPPED")
    assert container(task)["exitCode"] == 5
    wait_for("the agent to be back", agent.connected)
    assert lab.task(stays)["lastStatus"] == "RUNNING"
    assert main_pid(lab, stays) == before


def test_containerd_dead_while_tasks_run(host):
    """Containers need no containerd; a pull that does is refused with what to do, and works once it is back."""
    arn = host.run(host.define("web", [{"image": host.image, "command": WEB}]))[0]
    task = host.wait_ready(arn)
    host.containerd.daemon.kill()
    assert get(f"http://{address(task)}/") == "hello from berth\n"
    failed = host.run(host.define("late", [{"image": host.image.replace("web", "other"), "command": FOREVER}]))[0]
    stopped = host.wait_status(failed, "STOPPED")
    assert "containerd" in container(stopped)["reason"]
    host.stop_task(arn)
    assert container(host.wait_status(arn, "STOPPED"))["exitCode"] == 42
    host.containerd.start()
    again = host.run(host.define("web", [{"image": host.image, "command": ["sh", "-c", "exit 3"]}]))[0]
    assert container(host.wait_status(again, "STOPPED"))["exitCode"] == 3


def test_many_tasks_at_once(host):
    definition = host.define("many", [{"image": host.image, "memory": 6, "cpu": 1, "command": FOREVER}])
    arns = host.run(definition, 30)
    for arn in arns:
        host.wait_ready(arn)
    addresses = {address(task) for task in host.describe(*arns)}
    assert len(addresses) == 30
    threads = [threading.Thread(target=host.stop_task, args=(arn,)) for arn in arns]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for arn in arns:
        assert container(host.wait_status(arn, "STOPPED"))["exitCode"] == 42
