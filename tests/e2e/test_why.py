# SPDX-License-Identifier: Apache-2.0
"""Why a task is where it is: from the engine to the operator's command."""
import json

from tests.lab.berth import wait_for
from tests.e2e.test_cli import berth
from tests.e2e.test_first_task import FOREVER


def introspected(host, path, arn):
    return next(task for task in host.agents[0].introspect(path)["Tasks"] if task["Arn"] == arn)


def test_a_task_that_waits_says_for_what(host):
    """A container that waits for another one's health; then everything is where it should be."""
    definition = host.define("waits", [
        {"name": "app", "image": host.image, "command": FOREVER, "dependsOn": [{"containerName": "db", "condition": "HEALTHY"}]},
        {"name": "db", "image": host.image, "command": ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"],
         "healthCheck": {"command": ["CMD-SHELL", "test -e /tmp/healthy"], "interval": 5, "retries": 10}}])
    arn = host.run(definition)[0]
    task_id = arn.split("/")[-1]
    sentence = "container db to be healthy: it is RUNNING, its health not known yet"
    told = wait_for("what it waits for", lambda: next(
        (container for container in introspected(host, "/berth/v1/tasks", arn)["Containers"]
         if container["Name"] == "app" and sentence in container.get("WaitsFor", [])), None))
    assert told["Known"] in ("NONE", "PULLED") and told["Desired"] == "RUNNING" and told["Since"]
    text = berth(host, "why")[0]
    assert text.startswith(f"task {task_id}: ") and f"waits for {sentence}\n" in text
    assert berth(host, "why", task_id[:8])[0].startswith(f"task {task_id}: ")
    assert json.loads(berth(host, "why", "--json")[0])["Tasks"][0]["Arn"] == arn
    # Each change of a status is one line of the log, with what is waited for then.
    log = host.agents[0].daemon.text()
    assert any('msg="container status"' in line and 'container="db"' in line and 'known="RUNNING"' in line and
               "waits_for=" in line and "since=" in line for line in log.splitlines())
    host.stop_task(arn)
    host.wait_status(arn, "STOPPED")
