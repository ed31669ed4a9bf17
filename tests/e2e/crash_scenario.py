# SPDX-License-Identifier: Apache-2.0
"""One task from its payload to the last trace of it, by an agent that is killed on the way and started again."""
import contextlib
import json
import os
import signal
import time

from tests.lab import leaks
from tests.lab.berth import wait_for

JOB_CODE, APP_CODE, TWICE_CODE = 7, 42, 5
STOP_SIGNAL = "SIGUSR1"  # of the image: it must not be forgotten either
# Each start leaves a mark: two marks would be two starts.
JOB = f"echo x >> /marks/job; read word < /marks/go; exit {JOB_CODE}"
APP = f"trap 'exit {APP_CODE}' USR1; echo x >> /marks/app; sleep 1000 & while :; do wait; done"
# The first run fails, and its policy has it run again; how the second one ends, the policy ignores.
TWICE = f"echo x >> /marks/twice; [ $(wc -l < /marks/twice) -gt 1 ] && exit {TWICE_CODE}; sleep 2; exit 3"
TIME_SCALE = 60  # of the attempt period: 60 seconds are its least
CONTAINERS = ("job", "app", "twice")
TIMES = ("createdAt", "pullStartedAt", "pullStoppedAt", "startedAt", "stoppingAt", "executionStoppedAt", "stoppedAt")
STATUSES = ("PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED")


def push_image(lab):
    lab.registry.image("crash", config={"StopSignal": STOP_SIGNAL})


class Scenario:
    """
    `job` runs until it is told to end, with a code of its own; then `app` starts, is probed, and is stopped by request, with
    another. Beside them, `twice` fails, is restarted and ends. The agent, the cluster and the directories are the scenario's own, so that many go on side by side in one lab.
    """

    def __init__(self, lab, name, *points, mode="awsvpc"):
        """The first agent dies at the first point, the second one at the second; then one that lives."""
        self.lab, self.points, self.mode = lab, list(points), mode
        self.directory = os.path.join(lab.directory, name)
        self.marks, self.trace = os.path.join(self.directory, "marks"), os.path.join(self.directory, "trace")
        os.makedirs(self.marks)
        os.mkfifo(os.path.join(self.marks, "go"))
        self.statuses, self.before, self.deaths, self.arn, self.held = [], {}, 0, None, []
        lab.control.call("CreateCluster", clusterName=name)
        self.agent = lab.agent(f"{name}/agent", ECS_CLUSTER=name, BERTH_CGROUP_PARENT=f"{lab.cgroup}/{name}",
                               BERTH_CRASH_TRACE=self.trace, BERTH_TIME_SCALE=TIME_SCALE)
        # An agent that is dead holds no port, and its container has it all the same: another agent must not choose it meanwhile.
        first = 33000 + 16 * self.agent.number
        self.agent.daemon.env["ECS_DYNAMIC_HOST_PORT_RANGE"] = f"{first}-{first + 15}"
        image = f"{lab.registry.host}/crash:1"
        mount = {"image": image, "mountPoints": [{"sourceVolume": "marks", "containerPath": "/marks"}]}
        self.definition = lab.define(name, [
            dict(mount, name="job", essential=False, command=["sh", "-c", JOB]),
            dict(mount, name="twice", essential=False, command=["sh", "-c", TWICE],
                 restartPolicy={"enabled": True, "ignoredExitCodes": [TWICE_CODE], "restartAttemptPeriod": 60}),
            dict(mount, name="app", command=["sh", "-c", APP],
                 dependsOn=[{"containerName": "job", "condition": "COMPLETE"}],
                 healthCheck={"command": ["CMD-SHELL", "echo x >> /marks/probe"], "interval": 5, "timeout": 4},
                portMappings=[{"containerPort": 80}])],
            mode=mode, volumes=[{"name": "marks", "host": {"sourcePath": self.marks}}])

    def run(self):
        """To the end; returns what is the same however often the agent was killed."""
        self.start_agent()
        self.arn = self.until("place for the task", self.place)
        self.until("start of job", lambda: self.mark("job"))
        self.same_process("job")
        go = os.open(os.path.join(self.marks, "go"), os.O_RDWR | os.O_CLOEXEC)  # does not wait for a reader
        try:
            os.write(go, b"go\n")
            self.until("health check of app", lambda: self.mark("probe"))
        finally:
            os.close(go)
        self.until("RUNNING", lambda: self.status() == "RUNNING")
        self.until("end of twice", lambda: self.container("twice")["lastStatus"] == "STOPPED")
        self.same_process("app")
        if self.deaths == 0:
            self.held = leaks.of_task(self.agent, self.arn.split("/")[-1])
        self.lab.stop_task(self.arn, "enough")
        self.until("STOPPED", lambda: self.status() == "STOPPED")
        self.until("clean-up", lambda: not self.agent.introspect("/v1/tasks")["Tasks"])
        return self.outcome()

    def place(self):
        with contextlib.suppress(RuntimeError):  # its agent is not connected, or just died
            return self.lab.run(self.definition, awsvpc=self.mode == "awsvpc", cluster=self.agent.cluster)[0]
        return None

    def outcome(self):
        task = self.lab.task(self.arn)
        times = [task.get(name) for name in TIMES]
        assert None not in times and times == sorted(times), dict(zip(TIMES, times))
        assert self.statuses == sorted(self.statuses, key=STATUSES.index), self.statuses
        return {
            "task": {name: task.get(name) for name in ("lastStatus", "desiredStatus", "stopCode", "stoppedReason")},
            "containers": {container["name"]: {name: container.get(name) for name in
                                               ("lastStatus", "exitCode", "reason", "imageDigest")}
                           for container in task["containers"]},
            "attempts": [container["runtimeId"].split("-", 1)[1] for container in task["containers"]],
            "starts": {name: self.mark(name) for name in CONTAINERS},
        }

    def end(self):
        """Nothing may be left of it on the host, and nothing in the agent's store."""
        left = leaks.difference(set(), lambda: set(leaks.of_task(self.agent, self.arn.split("/")[-1])), 30)
        code = self.agent.stop()
        if code == -signal.SIGKILL and self.point:  # it saves something at its end, too
            self.deaths += 1
            self.start_agent()
            wait_for("the last agent to be connected", self.agent.connected)
            code = self.agent.stop()
        assert code == 0, self.agent.daemon.text()[-10000:]
        left += leaks.of_agent(self.agent)
        assert not left, left

    def until(self, what, check, seconds=60):
        end = time.monotonic() + seconds
        while True:
            self.revive()
            with contextlib.suppress(OSError):  # the agent is on its way
                answer = check()
                if answer:
                    return answer
            assert time.monotonic() < end, f"no {what} within {seconds} s"
            time.sleep(0.03)

    def start_agent(self):
        self.point = self.points.pop(0) if self.points else None
        self.agent.daemon.env.update({"BERTH_CRASH_POINT": self.point or ""})
        self.agent.start(wait=False)

    def revive(self):
        if self.agent.daemon.alive():
            return
        code = self.agent.daemon.process.returncode
        assert code == -signal.SIGKILL and self.point, f"the agent ended with {code}"
        self.deaths += 1
        if self.arn:
            self.before.update({name: pid for name in ("job", "app") if (pid := self.process(name))})
        self.start_agent()

    def container(self, name):
        return next(container for container in self.lab.task(self.arn)["containers"] if container["name"] == name)

    def status(self):
        status = self.lab.task(self.arn)["lastStatus"]
        if self.statuses[-1:] != [status]:
            self.statuses.append(status)
        return status

    def mark(self, name):
        """How many times it was left."""
        with contextlib.suppress(FileNotFoundError), open(os.path.join(self.marks, name)) as file:
            return len(file.read().split())
        return 0

    def process(self, name):
        """The first process of a container that has started, if it is there."""
        return self.agent.process(self.arn, name) if self.mark(name) else None

    def same_process(self, name):
        before, now = self.before.get(name), self.process(name)
        assert now and before in (None, now), f"{name} was process {before} and is {now}"

    def passed(self):
        """The points that its agents passed."""
        with contextlib.suppress(FileNotFoundError), open(self.trace) as file:
            return file.read().splitlines()
        return []

    def story(self):
        """What a failure needs to be understood."""
        task = self.lab.task(self.arn) if self.arn else None
        return f"{json.dumps(task, indent=1)}\n{self.agent.daemon.text()[-20000:]}"
