# SPDX-License-Identifier: Apache-2.0
"""A network between agent and control plane that loses packets."""
import contextlib
import json
import subprocess

from tests.e2e.test_first_task import FOREVER
from tests.lab.berth import wait_for

TABLE = "berth-test-loss"
PERCENT = 5


def nft(*arguments):
    return subprocess.run(["nft", *arguments], stdout=subprocess.PIPE, check=True, text=True).stdout


@contextlib.contextmanager
def losing(port):
    """One packet of twenty that goes to or comes from this port is dropped. Gives a function that tells how many were."""
    rules = "; ".join(f"tcp {side} {port} numgen random mod 100 < {PERCENT} counter drop" for side in ("dport", "sport"))
    nft(f"table inet {TABLE} {{ chain input {{ type filter hook input priority 0; {rules}; }}; }}")

    def lost():
        found = json.loads(nft("-j", "list", "table", "inet", TABLE))["nftables"]
        return sum(part["counter"]["packets"] for item in found for part in item.get("rule", {}).get("expr", []) if "counter" in part)
    try:
        yield lost
    finally:
        nft("delete", "table", "inet", TABLE)


def test_sessions_and_tasks_get_through_a_network_that_loses_packets(lab):
    """net-T63: registration, sessions, and the whole life of tasks; the agent is also killed, and comes back through the loss."""
    image = lab.registry.image("web")
    definitions = {mode: lab.define(f"lossy-{mode}", [{"image": image, "command": FOREVER, "memory": 16, "cpu": 1}], mode=mode)
                   for mode in ("awsvpc", "bridge")}
    with losing(lab.control.port) as lost:
        agent = lab.agent().start()
        arns = [arn for mode, definition in definitions.items() for arn in lab.run(definition, 5, awsvpc=mode == "awsvpc")]
        for arn in arns:
            lab.wait_ready(arn)
        agent.kill()
        agent.start()
        for arn in arns:
            lab.stop_task(arn)
        for arn in arns:
            task = lab.wait_status(arn, "STOPPED")
            assert task["stopCode"] == "UserInitiated" and task["containers"][0]["exitCode"] == 42, task
        wait_for("the agent to clean up", lambda: not agent.introspect("/v1/tasks")["Tasks"])
        assert lost() > 0
