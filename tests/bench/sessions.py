# SPDX-License-Identifier: Apache-2.0
"""What the sessions cost, and how soon what happened during an outage is reported.

    BERTH_BUILD=build/release /usr/bin/python3 -m tests.bench.sessions [--minutes N] [--tasks N]

Needs root. Outages and the day of reconnects are shortened by the agent's time scale, which divides its timers above a second;
what is measured in them is multiplied again where the timers decide.
"""
import argparse
import subprocess
import sys
import time

from tests.lab.berth import Lab, wait_for

from .__main__ import SLEEP, cpu_seconds, pss, running, stop_all

FIRST_S = 5  # how long what a task waits for takes


def note(text):
    print(f"... {text}", file=sys.stderr, flush=True)


def traffic(pid):
    """Bytes that were sent and received, acknowledged by TCP, of each connection to the control plane."""
    text = subprocess.run(["ss", "-tinpHO", "state", "established"], capture_output=True, text=True, check=True).stdout
    found = {}
    for line in text.splitlines():
        if f"pid={pid}," not in line:
            continue
        fields = dict(part.split(":", 1) for part in line.split() if part.startswith(("bytes_sent:", "bytes_received:")))
        found[line.split()[2]] = (int(fields.get("bytes_sent", 0)), int(fields.get("bytes_received", 0)))
    return found


def idle(agent, minutes):
    """Bytes sent, bytes received, CPU seconds, all a minute. Connections that end meanwhile are left out."""
    pid = agent.daemon.process.pid
    before, cpu = traffic(pid), cpu_seconds([pid])
    time.sleep(60 * minutes)
    after, cpu = traffic(pid), cpu_seconds([pid]) - cpu
    sent, received = (sum(counts[way] - before.get(name, (0, 0))[way] for name, counts in after.items()) for way in (0, 1))
    return sent / minutes, received / minutes, cpu / minutes


def costs(options):
    with Lab() as lab:
        image = lab.registry.image("bench")
        agent = lab.agent().start()
        definition = lab.define("idle", [{"image": image, "memory": 6, "cpu": 1, "command": SLEEP}], mode="host")
        time.sleep(5)
        note("without a task")
        yield "without a task", idle(agent, options.minutes)
        arns = lab.run(definition, options.tasks, awsvpc=False)
        running(lab, arns, 300)
        time.sleep(25)
        note(f"{options.tasks} tasks")
        yield f"{options.tasks} tasks", idle(agent, options.minutes)
        stop_all(lab, arns)


def outage(seconds, scale):
    """Seconds from when the control plane answers again until it shows a task as RUNNING that came up meanwhile."""
    with Lab(state="file", scale=scale) as lab:
        image = lab.registry.image("bench")
        lab.agent(BERTH_TIME_SCALE=scale).start()
        definition = lab.define("late", [
            {"name": "first", "image": image, "memory": 6, "cpu": 1, "essential": False, "command": ["sleep", str(FIRST_S)]},
            {"image": image, "memory": 6, "cpu": 1, "command": SLEEP,
             "dependsOn": [{"containerName": "first", "condition": "COMPLETE"}]}], mode="host")
        arn = lab.run(definition, awsvpc=False)[0]
        wait_for("the task to be taken", lambda: lab.agents[0].introspect("/v1/tasks")["Tasks"])
        lab.control.stop()
        time.sleep(max(seconds / scale, FIRST_S + 3))
        lab.control.start()
        began = time.monotonic()
        lab.wait_status(arn, "RUNNING", 600)
        waited = time.monotonic() - began
        stop_all(lab, [arn])
        return waited


def day(hours, scale):
    """MB (PSS) of an agent with a task after one hour, and after so many, of reconnects and metrics."""
    with Lab(scale=1) as lab:
        image = lab.registry.image("bench")
        agent = lab.agent(BERTH_TIME_SCALE=scale).start()
        definition = lab.define("idle", [{"image": image, "memory": 6, "cpu": 1, "command": SLEEP}], mode="host")
        arns = lab.run(definition, 10, awsvpc=False)
        running(lab, arns, 120)
        time.sleep(3600 / scale)
        first = pss(agent.daemon.process.pid) / 1024
        time.sleep((hours - 1) * 3600 / scale)
        last = pss(agent.daemon.process.pid) / 1024
        opened = agent.daemon.text().count("The session is open")
        stop_all(lab, arns)
        return first, last, opened


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=int, default=2, help="of idling")
    parser.add_argument("--tasks", type=int, default=100)
    options = parser.parse_args()
    for what, (sent, received, cpu) in costs(options):
        print(f"{what}: {sent:.0f} bytes sent, {received:.0f} received, {cpu:.2f} s of CPU a minute", flush=True)
    for seconds, scale in ((10, 1), (600, 20)):
        waited = outage(seconds, scale)
        print(f"away for {seconds} s (time scale {scale}): RUNNING is shown {waited:.2f} s after it is back", flush=True)
    first, last, opened = day(24, 600)
    print(f"24 hours at a scale of 600: {first:.2f} MB after the first, {last:.2f} MB at the end; {opened} connections", flush=True)


if __name__ == "__main__":
    main()
