# SPDX-License-Identifier: Apache-2.0
"""Nothing is lost and nothing is started twice, whatever is killed."""
import json
import os
import random
import threading
import time

import pytest

from tests.lab.berth import wait_for
from tests.e2e.test_first_task import FOREVER, WEB, address, container, get, main_pid


def test_killed_agent_changes_nothing(host):
    """eng-78: same process, same address, same metadata id; the task can still be stopped, with its exit code."""
    arn = host.run(host.define("web", [{"image": host.image, "command": WEB}]))[0]
    task = host.wait_status(arn, "RUNNING")
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
    arn = host.run(host.define("soon", [{"image": host.image, "command": ["sh", "-c", "sleep 2; exit 7"]}]))[0]
    host.wait_status(arn, "RUNNING")
    agent = host.agents[0]
    agent.kill()
    pid = main_pid(host, arn)
    wait_for("the container's end", lambda: not os.path.exists(f"/proc/{pid}"))
    agent.start()
    task = host.wait_status(arn, "STOPPED")
    assert container(task)["exitCode"] == 7


def test_restarted_agent_serves_metadata_again(host):
    arn = host.run(host.define("web", [{"image": host.image, "command": FOREVER}]))[0]
    host.wait_status(arn, "RUNNING")
    agent = host.agents[0]
    agent.kill()
    agent.start()
    pid = main_pid(host, arn)
    with open(f"/proc/{pid}/environ") as file:
        uri = next(item.split("=", 1)[1] for item in file.read().split("\0")
                   if item.startswith("ECS_CONTAINER_METADATA_URI_V4="))
    import subprocess
    text = wait_for("metadata", lambda: subprocess.run(["nsenter", "-t", str(pid), "-n", "curl", "-s", uri],
                                                       stdout=subprocess.PIPE, text=True).stdout)
    assert '"Name":"app"' in text


@pytest.mark.parametrize("seed", range(int(os.environ.get("BERTH_SEEDS", "6"))))
def test_agent_killed_at_any_moment(host, seed):
    """acs-M4, eng-81, eng-82: killed again and again while tasks come and go; each runs once and reports its own code."""
    rng = random.Random(seed)
    shared = os.path.join(host.directory, "runs")
    os.mkdir(shared)
    count = 4
    definitions = []
    for code in range(count):
        # Each start leaves a mark; two marks would be two starts.
        definitions.append(host.define(f"once{code}", [{"image": host.image, "command": [
            "sh", "-c", f"echo x >> /runs/{code}; sleep 0.{rng.randrange(1, 9)}; exit {code + 10}"],
            "mountPoints": [{"sourceVolume": "runs", "containerPath": "/runs"}]}],
            volumes=[{"name": "runs", "host": {"sourcePath": shared}}]))
    agent = host.agents[0]
    arns = [host.run(definition)[0] for definition in definitions]
    for _ in range(5):
        time.sleep(rng.uniform(0, 0.12))
        agent.kill()
        agent.start(wait=False)
    for code, arn in enumerate(arns):
        task = host.wait_status(arn, "STOPPED", 60)
        assert container(task).get("exitCode") == code + 10, json.dumps(task, indent=1)
        with open(os.path.join(shared, str(code))) as file:
            assert file.read() == "x\n", "started twice"


MOMENTS = ("PULL_IMAGE", "OPEN_NETNS", "ATTACH_NETWORK", "CREATE_CONTAINER", "START_CONTAINER", "PROBE_HEALTH",
           "STOP_CONTAINER", "TEAR_DOWN_NETWORK", "REMOVE_CONTAINER", "CLEAN_UP_TASK")


@pytest.mark.parametrize("moment", MOMENTS)
def test_agent_told_to_stop_in_the_middle(host, moment):
    """It ends well at once whatever is under way (of what it forgets to free a sanitizer tells), and the next one goes on."""
    shared = os.path.join(host.directory, "runs")
    os.mkdir(shared)
    app = {"image": host.image, "command": [
        "sh", "-c", "trap 'exit 42' TERM; echo x >> /runs/started; while :; do sleep 0.1; done"],
        "mountPoints": [{"sourceVolume": "runs", "containerPath": "/runs"}]}
    if moment == "PROBE_HEALTH":
        app["healthCheck"] = {"command": ["CMD-SHELL", "sleep 2"], "interval": 5, "timeout": 4}
    definition = host.define("told", [app], volumes=[{"name": "runs", "host": {"sourcePath": shared}}])
    agent = host.agents[0]
    arn = host.run(definition)[0]
    line = f'msg="effect" effect="{moment}" task="{arn.split("/")[-1]}"'
    if moment in MOMENTS[MOMENTS.index("STOP_CONTAINER"):]:
        host.wait_status(arn, "RUNNING")
        wait_for("its mark", lambda: os.path.exists(os.path.join(shared, "started")))
        host.stop_task(arn)
    wait_for(line, lambda: line in agent.daemon.text(), every=0.001)
    began = time.monotonic()
    assert agent.stop() == 0, agent.daemon.text()[-10000:]
    assert time.monotonic() - began < 5
    agent.start()
    if moment in MOMENTS[:MOMENTS.index("STOP_CONTAINER")]:
        host.wait_status(arn, "RUNNING")
        wait_for("its mark", lambda: os.path.exists(os.path.join(shared, "started")))
        host.stop_task(arn)
    assert container(host.wait_status(arn, "STOPPED")).get("exitCode") == 42
    with open(os.path.join(shared, "started")) as file:
        assert file.read() == "x\n", "started twice"


def test_control_plane_away_for_a_while(lab):
    """eng-83, acs-S11: what happened meanwhile is reported when it is back; nothing stops because of it."""
    image = lab.registry.image("web")
    lab.control.stop()
    lab.control.__init__(lab.control.directory, state="file")
    lab.control.start()
    lab.agent(BERTH_TIME_SCALE="10").start()
    stays = lab.run(lab.define("stays", [{"image": image, "command": FOREVER}]))[0]
    ends = lab.run(lab.define("ends", [{"image": image, "command": ["sh", "-c", "sleep 2; exit 5"]}]))[0]
    lab.wait_status(stays, "RUNNING")
    lab.wait_status(ends, "RUNNING")
    before = main_pid(lab, stays)
    lab.control.daemon.kill()
    time.sleep(4)
    lab.control.start()
    task = lab.wait_status(ends, "STOPPED", 60)
    assert container(task)["exitCode"] == 5
    assert lab.task(stays)["lastStatus"] == "RUNNING"
    assert main_pid(lab, stays) == before
    wait_for("the agent to be back", lab.agents[0].connected, 60)


def test_containerd_dead_while_tasks_run(host):
    """Containers need no containerd; a pull that does is refused with what to do, and works once it is back."""
    arn = host.run(host.define("web", [{"image": host.image, "command": WEB}]))[0]
    task = host.wait_status(arn, "RUNNING")
    host.containerd.daemon.kill()
    assert get(f"http://{address(task)}/") == "hello from berth\n"
    failed = host.run(host.define("late", [{"image": host.image.replace("web", "other"), "command": FOREVER}]))[0]
    stopped = host.wait_status(failed, "STOPPED", 30)
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
        host.wait_status(arn, "RUNNING", 60)
    addresses = {address(task) for task in host.describe(*arns)}
    assert len(addresses) == 30
    threads = [threading.Thread(target=host.stop_task, args=(arn,)) for arn in arns]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for arn in arns:
        assert container(host.wait_status(arn, "STOPPED", 60))["exitCode"] == 42
