# SPDX-License-Identifier: Apache-2.0
"""Berth against the floor, in one run.

    BERTH_BUILD=build/release /usr/bin/python3 -m tests.bench [--quick] [--json] [--network] [--runtime runc|crun]

Prints a table with ratios. Needs root and a quiet machine; it is no pass/fail test.
"""
import argparse
import datetime
import glob
import json
import os
import platform
import statistics
import subprocess
import sys
import threading
import time

from tests.lab.berth import Lab, wait_for

from . import network
from .floor import Floor

SLEEP = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done"]


def note(text):
    print(f"... {text}", file=sys.stderr, flush=True)


def pss(pid):
    """KiB."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        # Its own, and that of the children it has waited for: the runtimes and plugins.
        total += sum(int(fields[i]) for i in (11, 12, 13, 14))
    return total / os.sysconf("SC_CLK_TCK")


def processes(lab, name):
    """Pids of the lab's processes of a program."""
    found = []
    for path in glob.glob("/proc/[0-9]*"):
        try:
            with open(f"{path}/comm") as file:
                comm = file.read().strip()
            with open(f"{path}/cgroup") as file:
                groups = file.read()
            with open(f"{path}/cmdline") as file:
                arguments = file.read()
        except OSError:
            continue
        if comm == name[:15] and (lab.directory in arguments or lab.cgroup in groups):
            found.append(int(os.path.basename(path)))
    return found


def running(lab, arns, seconds=120):
    def check():
        return all(task["lastStatus"] == "RUNNING" for task in lab.describe(*arns))
    wait_for(f"{len(arns)} tasks to run", check, seconds, every=0.05)


def stop_all(lab, arns):
    threads = [threading.Thread(target=lambda part=arns[i::8]: [lab.stop_task(arn) for arn in part]) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_for("all to be stopped", lambda: all(task["lastStatus"] == "STOPPED" for task in lab.describe(*arns)), 120,
             every=0.05)
    wait_for("the agent to have cleaned up", lambda: not lab.agents[0].introspect("/v1/tasks")["Tasks"], 60, every=0.05)


def milliseconds(task, begin, end):
    return (task[end] - task[begin]) * 1000


def single(lab, definition, count):
    """From the creation of each task (its payload leaves at once) to the report of RUNNING, one after the other."""
    took, stopping = [], []
    for _ in range(count):
        arn = lab.run(definition)[0]
        running(lab, [arn])
        took.append(milliseconds(lab.task(arn), "createdAt", "startedAt"))
        stop_all(lab, [arn])
        stopping.append(milliseconds(lab.task(arn), "stoppingAt", "stoppedAt"))
    return took, stopping


def exits(lab, image, count):
    """From the end of the container's process, as its monitor recorded it, to the report of STOPPED."""
    definition = lab.define("exits", [{"image": image, "memory": 6, "cpu": 1, "command": ["sh", "-c", "exit 0"]}])
    took = []
    for _ in range(count):
        arn = lab.run(definition)[0]
        lab.wait_status(arn, "STOPPED")
        task = lab.task(arn)
        took.append(milliseconds(task, "executionStoppedAt", "stoppedAt"))
        wait_for("clean-up", lambda: not lab.agents[0].introspect("/v1/tasks")["Tasks"], 60)
    return took


def dependencies(lab, image, count):
    """From the end of the process that another container waits for, as its monitor recorded it, to the other's start."""
    definition = lab.define("dependencies", [
        {"name": "first", "image": image, "memory": 6, "essential": False, "command": ["sh", "-c", "exit 0"]},
        {"name": "second", "image": image, "memory": 6, "command": SLEEP,
         "dependsOn": [{"containerName": "first", "condition": "SUCCESS"}]},
    ])
    agent, took = lab.agents[0], []
    for _ in range(count):
        arn = lab.run(definition)[0]
        running(lab, [arn])
        task = next(task for task in agent.introspect("/v1/tasks")["Tasks"] if task["Arn"] == arn)
        second = next(one for one in task["Containers"] if one["Name"] == "second")
        [path] = glob.glob(f"{agent.data}/tasks/{arn.rsplit('/')[-1]}/*first*/state-1/exit.json")
        with open(path) as file:
            finished_ms = json.load(file)["finished_ms"]
        started_ms = datetime.datetime.fromisoformat(second["StartedAt"].replace("Z", "+00:00")).timestamp() * 1000
        took.append(started_ms - finished_ms)
        stop_all(lab, [arn])
    return took


def burst(lab, definition, count):
    arns = []
    threads = [threading.Thread(target=lambda: arns.extend(lab.run(definition, 10))) for _ in range(count // 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    running(lab, arns)
    tasks = lab.describe(*arns)
    took = max(task["startedAt"] for task in tasks) - min(task["createdAt"] for task in tasks)
    return arns, took


def memory(lab):
    monitors = processes(lab, "berth-monitor")
    pauses = processes(lab, "berth-pause")
    return {
        "agent": pss(lab.agents[0].daemon.pid) / 1024,
        "monitor": statistics.mean([pss(pid) for pid in monitors]) / 1024 if monitors else 0,
        "pause": statistics.mean([pss(pid) for pid in pauses]) / 1024 if pauses else 0,
        "monitors": len(monitors),
    }


def readopt(lab):
    agent = lab.agents[0]
    count = len(agent.introspect("/v1/tasks")["Tasks"])
    agent.kill()
    began = time.monotonic()
    agent.start(wait=False)

    def adopted():
        tasks = agent.introspect("/v1/tasks")["Tasks"]
        return len(tasks) == count and all(task["KnownStatus"] == "RUNNING" for task in tasks)
    wait_for("the tasks to be adopted", adopted, 30, every=0.002)
    adopted_ms = (time.monotonic() - began) * 1000
    wait_for("the session", agent.connected, 30, every=0.002)
    return adopted_ms, (time.monotonic() - began) * 1000


def main():
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, 30 tasks instead of 100")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--network", action="store_true", help="the rows of the network alone")
    parser.add_argument("--runtime", default="runc")
    options = parser.parse_args()
    result = {"machine": f"{os.cpu_count()} CPUs, Linux {platform.release()}", "runtime": options.runtime}
    note("the network")
    result["network"] = network.measure(options.quick)
    if not options.network:
        tasks(options, result)
    print(json.dumps(result, indent=1)) if options.json else table(result)


def tasks(options, result):
    """Whole tasks, by the agent."""
    single_count, most, idle_seconds = (5, 30, 10) if options.quick else (20, 100, 60)
    with Lab(subnet="10.99.0.0/22") as lab:
        image = lab.registry.image("bench")
        agent = lab.agent(BERTH_RUNTIME=options.runtime, ECS_IMAGE_PULL_BEHAVIOR="prefer-cached", ECS_LOGLEVEL="warn",
                          ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION="1s").start()
        definition = lab.define("idle", [{"image": image, "memory": 6, "cpu": 1, "command": SLEEP}])
        stop_all(lab, [(lambda arn: (running(lab, [arn]), arn)[1])(lab.run(definition)[0])])  # the image is there now

        note("the floor")
        where = os.path.join(lab.directory, "floor")
        os.makedirs(where)
        if options.runtime == "runc":
            floor = Floor(where, lab.cgroup)
            result["floor_ms"] = statistics.median(floor.measure(single_count))
            result["floor_container_ms"] = statistics.median(floor.container_ms)
        note("memory and one task at a time")
        result["memory_0"] = memory(lab)
        took, stopping = single(lab, definition, single_count)
        result["single_ms"], result["single_p95_ms"] = statistics.median(took), sorted(took)[int(len(took) * 0.95) - 1]
        result["single_min_ms"] = min(took)
        result["stop_ms"] = statistics.median(stopping)
        result["exit_ms"] = statistics.median(exits(lab, image, max(5, single_count // 2)))
        result["dependency_ms"] = statistics.median(dependencies(lab, image, max(5, single_count // 2)))
        for count in [10, 50, 100] if not options.quick else [10, 30]:
            note(f"{count} at once")
            arns, seconds = burst(lab, definition, count)
            result[f"burst_{count}_s"] = seconds
            if count == 10 or count == most:
                result[f"memory_{count}"] = memory(lab)
            if count == most:
                note(f"idle with {count} tasks for {idle_seconds} s, metrics on")
                time.sleep(3)
                pids = [agent.daemon.pid] + processes(lab, "berth-monitor")
                before = cpu_seconds(pids)
                time.sleep(idle_seconds)
                result["cpu_s_per_min"] = (cpu_seconds(pids) - before) * 60 / idle_seconds
                note("killed and started again")
                result["readopt_ms"], result["reconnect_ms"] = readopt(lab)
            stop_all(lab, arns)
    result["most"] = most


def table(result):
    """What was measured, beside the floor and beside the reference agent with dockerd (measured on such a machine)."""
    rows = (task_rows(result) if "most" in result else []) + network.rows(result["network"])
    print(f"{result['machine']}, {result['runtime']}")
    print("| what | measured | to the floor | reference with dockerd | ratio |")
    print("|---|---|---|---|---|")
    for name, value, unit, beside, reference in rows:
        if value is None:
            continue
        ratio = f"{value / beside:.2f}" if beside else ""
        times = f"1/{reference / value:.0f}" if reference and value > 0 else ""
        print(f"| {name} | {value:.2f} {unit} | {ratio} | {f'{reference} {unit}' if reference else ''} | {times} |")


def task_rows(result):
    most = result["most"]
    floor = result.get("floor_ms")
    rows = [
        ("floor: netns, veth, two create/start (median)", floor, "ms", None, None),
        ("floor: one create/start (median)", result.get("floor_container_ms"), "ms", None, None),
        ("one awsvpc task to RUNNING (median)", result["single_ms"], "ms", floor, 406),
        ("one awsvpc task to RUNNING (p95)", result["single_p95_ms"], "ms", floor, 442),
        ("stop request to STOPPED (median)", result["stop_ms"], "ms", None, 118),
        ("exit to STOPPED (median)", result["exit_ms"], "ms", None, 96),
        ("end of a dependency to start of the dependent (median)", result["dependency_ms"], "ms",
         result.get("floor_container_ms"), None),
        ("10 at once, all RUNNING", result["burst_10_s"], "s", None, 1.68),
    ]
    if "burst_100_s" in result:
        rows += [("50 at once", result["burst_50_s"], "s", None, 7.85), ("100 at once", result["burst_100_s"], "s", None, 18.9)]
    rows += [
        ("agent, no task (PSS)", result["memory_0"]["agent"], "MB", None, None),
        ("agent, 10 tasks (PSS)", result["memory_10"]["agent"], "MB", None, None),
        (f"agent, {most} tasks (PSS)", result[f"memory_{most}"]["agent"], "MB", None, None),
        ("one monitor (PSS)", result[f"memory_{most}"]["monitor"], "MB", None, 3.4),
        ("one pause (PSS)", result[f"memory_{most}"]["pause"], "MB", None, None),
        (f"agent and {most} monitors (PSS)", result[f"memory_{most}"]["agent"] + result[f"memory_{most}"]["monitor"] *
         result[f"memory_{most}"]["monitors"], "MB", None, 1039 if most == 100 else None),
        (f"CPU, {most} idle tasks, metrics on", result["cpu_s_per_min"], "s/min", None, 21.2 if most == 100 else None),
        (f"killed: {most} tasks adopted again", result["readopt_ms"], "ms", None, None),
        ("killed: session open again", result["reconnect_ms"], "ms", None, None),
    ]
    return rows


if __name__ == "__main__":
    main()
