# SPDX-License-Identifier: Apache-2.0
"""What a task of the soak can look like, and what its end must say."""
import dataclasses
from typing import Optional

KILLED = 128 + 9


@dataclasses.dataclass
class End:
    """Of one container. `code` counts from the task's own; `fixed` is a code whatever the task's is; neither: none is known."""
    code: Optional[int] = None
    fixed: Optional[int] = None
    reason: Optional[str] = None  # how it begins; None: there is none
    starts: int = 1

    def exit_code(self, base):
        return base + self.code if self.code is not None else self.fixed


@dataclasses.dataclass
class Shape:
    name: str
    weight: int
    mode: str
    containers: list
    ends: dict
    stop_code: str = "EssentialContainerExited"
    act: Optional[str] = None  # once `app` has started: "stop", "kill", or "ask" for its page and stop

    def check(self, task, base, starts):
        """What is wrong with the end of a task, as sentences."""
        wrong = []
        if task["stopCode"] != self.stop_code:
            wrong.append(f"stopCode {task['stopCode']}: {task['stoppedReason']}")
        for container in task["containers"]:
            name, end = container["name"], self.ends[container["name"]]
            code, reason = container.get("exitCode"), container.get("reason")
            if code != end.exit_code(base):
                wrong.append(f"{name} ended with {code}, not {end.exit_code(base)} ({reason})")
            if not (reason == end.reason or (end.reason and (reason or "").startswith(end.reason))):
                wrong.append(f"{name} has the reason {reason}, not {end.reason}")
            if starts[name] != end.starts:
                wrong.append(f"{name} was started {starts[name]} times, not {end.starts}")
        return wrong


def container(name, script, **more):
    """Each start leaves a mark; MARK and CODE are the task's own."""
    return dict({"name": name, "memory": 16, "cpu": 1, "command": ["sh", "-c", script],
                 "mountPoints": [{"sourceVolume": "marks", "containerPath": "/marks"}]}, **more)


def mark(name):
    return f"echo x >> /marks/$MARK.{name}"


def exits(name, code, before="", **more):
    return container(name, f"{mark(name)}; {before} exit $((CODE + {code}))", **more)


def lasts(name, code, **more):
    """Until it is told to stop."""
    return container(name, f"trap 'exit $((CODE + {code}))' TERM; {mark(name)}; sleep 1000 & while :; do wait; done", **more)


def serves(name, code, where, **more):
    """A page for whoever asks, until it is told to stop; `where` says how it is asked."""
    return container(name, f"trap 'exit $((CODE + {code}))' TERM; httpd -p 80 -h /www; {mark(name)}; sleep 1000 & "
                           "while :; do wait; done", **dict(where, **more))


def after(condition, *names):
    return {"dependsOn": [{"containerName": name, "condition": condition} for name in names]}


def shapes(unknown_image):
    found = []

    def add(name, weight, mode, containers, ends, **more):
        found.append(Shape(f"{name} ({mode})", weight, mode, containers, ends, **more))

    for mode, weight in (("awsvpc", 5), ("host", 3), ("none", 3)):
        add("exits", weight, mode, [exits("app", 0)], {"app": End(0)})
    for mode, weight in (("awsvpc", 4), ("host", 2), ("none", 2)):
        add("stopped", weight, mode, [lasts("app", 0)], {"app": End(0)}, stop_code="UserInitiated", act="stop")
    add("stubborn", 1, "host", [container("app", f"trap '' TERM; {mark('app')}; sleep 1000", stopTimeout=2)],
        {"app": End(fixed=KILLED)}, stop_code="UserInitiated", act="stop")
    for mode, weight in (("awsvpc", 2), ("none", 2)):
        add("killed", weight, mode, [lasts("app", 0)], {"app": End(fixed=KILLED)}, act="kill")
    add("out of memory", 1, "awsvpc", [container("app", f"{mark('app')}; exec dd if=/dev/zero of=/dev/shm/x bs=1M count=60")],
        {"app": End(fixed=KILLED, reason="OutOfMemoryError")})
    add("sidecar", 2, "awsvpc", [
        lasts("side", 1, essential=False),
        exits("app", 0, "while ! test -e /marks/$MARK.side; do sleep 0.1; done;", **after("START", "side"))],
        {"side": End(1), "app": End(0)})
    add("chain", 2, "awsvpc", [
        container("one", f"{mark('one')}; exit 0", essential=False),
        container("two", f"{mark('two')}; exit 0", essential=False, **after("SUCCESS", "one")),
        exits("app", 0, **after("SUCCESS", "two"))],
        {"one": End(fixed=0), "two": End(fixed=0), "app": End(0)})
    add("four", 1, "none", [
        *(exits(f"job{number}", number, essential=False) for number in (1, 2, 3)),
        exits("app", 0, **after("COMPLETE", "job1", "job2", "job3"))],
        {"job1": End(1), "job2": End(2), "job3": End(3), "app": End(0)})
    add("healthy", 1, "awsvpc", [
        lasts("web", 1, healthCheck={"command": ["CMD-SHELL", "true"], "interval": 5, "timeout": 4}),
        exits("app", 0, **after("HEALTHY", "web"))],
        {"web": End(1), "app": End(0)})
    add("failed dependency", 1, "host", [
        exits("one", 1, essential=False), exits("app", 0, **after("SUCCESS", "one"))],
        {"one": End(1), "app": End(fixed=143, reason="CannotStartContainerError", starts=0)}, stop_code="TaskFailedToStart")
    add("bad command", 1, "awsvpc", [container("app", "", command=["nosuchbinary"])],
        {"app": End(reason="CannotStartContainerError", starts=0)}, stop_code="TaskFailedToStart")
    add("unknown image", 1, "awsvpc", [exits("app", 0, image=unknown_image)],
        {"app": End(reason="CannotPull", starts=0)}, stop_code="TaskFailedToStart")
    return found


PORT = 21080  # one that a task names: its tasks come one after the other


def network_shapes():
    """Of the modes in which a task has a network of its own: something passes through each part of what is made for it."""
    found = []

    def add(name, weight, mode, containers, ends, **more):
        found.append(Shape(f"{name} ({mode})", weight, mode, containers, ends, **more))

    asked = {"stop_code": "UserInitiated", "act": "ask"}
    several = [{"containerPort": 80}, {"containerPort": 53, "protocol": "udp"}]
    for mode in ("awsvpc", "bridge"):
        add("exits", 4, mode, [exits("app", 0)], {"app": End(0)})
        add("stopped", 2, mode, [lasts("app", 0)], {"app": End(0)}, stop_code="UserInitiated", act="stop")
        add("killed", 2, mode, [lasts("app", 0)], {"app": End(fixed=KILLED)}, act="kill")
    add("asked", 4, "awsvpc", [serves("app", 0, {})], {"app": End(0)}, **asked)
    add("dynamic ports", 3, "bridge", [serves("app", 0, {"portMappings": several})], {"app": End(0)}, **asked)
    add("range of ports", 1, "bridge", [lasts("app", 0, portMappings=[{"containerPortRange": "8000-8009"}])], {"app": End(0)},
        stop_code="UserInitiated", act="stop")
    add("static port", 1, "bridge", [serves("app", 0, {"portMappings": [{"containerPort": 80, "hostPort": PORT}]})],
        {"app": End(0)}, **asked)
    add("link", 2, "bridge", [
        serves("web", 1, {}, essential=False),
        exits("app", 0, "until wget -q -O /dev/null http://web/; do sleep 0.1; done;", links=["web"], **after("START", "web"))],
        {"web": End(1), "app": End(0)})
    add("bad command", 1, "bridge", [container("app", "", command=["nosuchbinary"], portMappings=several)],
        {"app": End(reason="CannotStartContainerError", starts=0)}, stop_code="TaskFailedToStart")
    return found
