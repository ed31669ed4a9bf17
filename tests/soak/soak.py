# SPDX-License-Identifier: Apache-2.0
"""Many short tasks of all shapes on one host whose parts are killed at random: each must end as its shape says."""
import collections
import concurrent.futures
import contextlib
import os
import random
import signal
import time
import urllib.request

from tests.lab import leaks, network
from tests.lab.berth import wait_for

from .killer import Killer
from .plane import PATIENCE, Plane
from .shapes import network_shapes, shapes

# What the agent may grow by between two equal moments, in KiB. PSS is only told: it changes by megabytes with how many other
# programs of the host have mapped the same libraries at that moment. RSS counts those as its own, and what is anonymous is the
# agent's alone. Of connections to the control plane it keeps as many as it last needed at once, at most ten for reports.
GROWTH = {"RSS": 1024, "anonymous": 256, "descriptors": 12}
WARM_UP = 100  # tasks, in which an agent that has just started grows to its size
RESTARTED, RESTARTED_LATER = "restarted, after a quarter", "restarted, at the end"
ONE_LIFE, ONE_LIFE_LATER = "one life, in the middle", "one life, at the end"

# How a task ended: `wrong` is what is wrong with it.
Result = collections.namedtuple("Result", "seconds wrong")


class Soak:
    """
    With `on_own_network` the tasks are those that have a network, and at the end it must be as before, which none but the
    lab may have changed.
    """

    def __init__(self, lab, tasks, seed, parallel, on_own_network=False):
        self.lab, self.tasks, self.seed, self.parallel = lab, tasks, seed, parallel
        self.marks = os.path.join(lab.directory, "marks")
        os.mkdir(self.marks)
        self.network = network.everything() if on_own_network else None
        self.plane, self.killer = Plane(lab), Killer(lab, seed)
        self.agent = lab.agent().start()
        lab.registry.image("soak")
        self.shapes = network_shapes() if on_own_network else shapes(f"{lab.registry.host}/nowhere:1")
        self.definitions = {shape.name: self.define(number, shape) for number, shape in enumerate(self.shapes)}
        self.results = {shape.name: [] for shape in self.shapes}
        self.measures, self.seconds = {}, 0

    def define(self, number, shape):
        image = f"{self.lab.registry.host}/soak:1"
        return self.lab.define(f"soak{number}", [dict({"image": image}, **container) for container in shape.containers],
                               mode=shape.mode, volumes=[{"name": "marks", "host": {"sourcePath": self.marks}}])

    def run(self):
        """The first four fifths with everything being killed; the last one, in one life of the agent, without killing it."""
        quarter, calm, middle = self.tasks // 4, self.tasks * 8 // 10, self.tasks * 9 // 10
        began = time.monotonic()
        try:
            with self.plane:
                self.some(0, quarter, "agent", "containerd", "control")
                self.measure(RESTARTED, restart=True)
                self.some(quarter, calm, "agent", "containerd", "control")
                self.measure(RESTARTED_LATER, restart=True)
                self.some(calm, middle, "containerd", "control")
                self.measure(ONE_LIFE)
                self.some(middle, self.tasks, "containerd", "control")
                self.measure(ONE_LIFE_LATER)
        finally:
            self.seconds = time.monotonic() - began
        if self.agent.stop() != 0:
            self.killer.problems.append(f"the agent ended badly: {self.agent.daemon.text()[-5000:]}")

    def some(self, begin, end, *victims):
        """Runs these tasks, until the agent has forgotten them."""
        self.killer.start(*victims)
        try:
            with concurrent.futures.ThreadPoolExecutor(self.parallel) as pool:
                list(pool.map(self.one, range(begin, end)))
        finally:
            self.killer.stop()
        wait_for("the agent to be connected", self.agent.connected, 60)
        try:
            wait_for("the agent to clean up", lambda: not self.kept(), PATIENCE, every=0.1)
        except TimeoutError:
            self.killer.problems += [f"not cleaned up: {arn}\n{self.story(arn)}" for arn in self.kept()]
            raise

    def kept(self):
        return [task["Arn"] for task in self.agent.introspect("/v1/tasks")["Tasks"]]

    # ---- one task ----

    def one(self, number):
        rng = random.Random(f"{self.seed}/{number}")
        shape = rng.choices(self.shapes, [shape.weight for shape in self.shapes])[0]
        base, name, began = rng.randrange(0, 120), f"task{number}", time.monotonic()
        arn = None
        try:
            arn = self.launch(shape, name, base)
            if shape.act and self.plane.follow(arn, "RUNNING")["lastStatus"] == "RUNNING":
                wait_for("the mark of its start", lambda: self.starts(name, "app"), 60, every=0.02)
                if shape.act == "ask":
                    wait_for("its page", lambda: self.page(arn), 60, every=0.02)
                if shape.act == "kill":
                    os.kill(self.agent.process(arn), signal.SIGKILL)
                else:
                    self.plane.stop(arn)
            task = self.plane.follow(arn, "STOPPED")
            starts = {container["name"]: self.starts(name, container["name"]) for container in shape.containers}
            wrong = shape.check(task, base, starts)
        except Exception as error:  # the others go on, and this one is told of
            wrong = [f"{type(error).__name__}: {error}"]
        if wrong:
            wrong = [f"{name} ({shape.name}) {arn}: {text}" for text in wrong] + [self.story(arn)]
        self.results[shape.name].append(Result(time.monotonic() - began, wrong))

    def launch(self, shape, name, base):
        members = {"taskDefinition": self.definitions[shape.name], "overrides": {"containerOverrides": [
            {"name": container["name"], "environment": [{"name": "MARK", "value": name}, {"name": "CODE", "value": str(base)}]}
            for container in shape.containers]}}
        if shape.mode == "awsvpc":
            members["networkConfiguration"] = {"awsvpcConfiguration": {"subnets": ["subnet-berth"]}}
        return self.plane.run(name, **members)

    def page(self, arn):
        """As the host gets it: by the port that is published, or at the task's own address."""
        app = next(container for container in self.lab.task(arn)["containers"] if container["name"] == "app")
        bound = [binding["hostPort"] for binding in app.get("networkBindings", []) if binding["containerPort"] == 80]
        where = f"127.0.0.1:{bound[0]}" if bound else app["networkInterfaces"][0]["privateIpv4Address"]
        with urllib.request.urlopen(f"http://{where}/", timeout=5) as answer:
            return answer.read()

    def starts(self, name, container):
        with contextlib.suppress(FileNotFoundError), open(os.path.join(self.marks, f"{name}.{container}")) as file:
            return len(file.read().split())
        return 0

    def story(self, arn):
        """What the agents have logged of a task."""
        with open(self.agent.daemon.log, errors="replace") as file:
            return "".join(line for line in file if arn and arn.split("/")[-1] in line)[-20000:]

    # ---- the outcome ----

    def measure(self, name, restart=False):
        if restart:
            self.agent.kill()
            self.agent.start()
        with open(f"/proc/{self.agent.daemon.pid}/smaps_rollup") as file:
            memory = dict(line.split()[:2] for line in file if line.endswith("kB\n"))
        self.measures[name] = {"PSS": int(memory["Pss:"]), "RSS": int(memory["Rss:"]), "anonymous": int(memory["Anonymous:"]),
                               "descriptors": len(os.listdir(f"/proc/{self.agent.daemon.pid}/fd"))}

    def wrong(self, growth=True):
        """What is not as it should be after run(), as texts; without `growth`, that of the agent is not looked at."""
        found = [text for results in self.results.values() for result in results for text in result.wrong]
        found += self.killer.problems
        pairs = [(RESTARTED, RESTARTED_LATER)] if growth else []
        if growth and self.tasks >= 10 * WARM_UP:
            pairs.append((ONE_LIFE, ONE_LIFE_LATER))
        for before, after in pairs:
            for what, most in GROWTH.items():
                grown = self.measures[after][what] - self.measures[before][what]
                if grown > most:
                    found.append(f"{after}: {what} of the agent grew by {grown}, which is more than {most}")
        left = leaks.of_agent(self.agent)
        if self.network is not None:
            left += network.left(self.network)
        return found + [f"left: {item}" for item in left]

    def report(self, out):
        print(f"{'shape':28}{'tasks':>7}{'right':>7}{'wrong':>7}{'median s':>10}{'longest':>9}", file=out)
        for name, results in self.results.items():
            seconds = sorted(result.seconds for result in results) or [0]
            wrong = sum(bool(result.wrong) for result in results)
            print(f"{name:28}{len(results):7}{len(results) - wrong:7}{wrong:7}"
                  f"{seconds[len(seconds) // 2]:10.1f}{seconds[-1]:9.1f}", file=out)
        print(f"\n{self.tasks} tasks in {self.seconds:.0f} s, {self.tasks / self.seconds:.1f} a second, {self.parallel} at once, "
              f"seed {self.seed}; killed: " + ", ".join(f"{who} {count} times" for who, count in self.killer.kills.items()),
              file=out)
        print(f"\n{'the agent':28}{'PSS KiB':>10}{'RSS KiB':>10}{'anonymous KiB':>15}{'descriptors':>13}", file=out)
        for name, measure in {**self.measures, "may grow by": {"PSS": "", **GROWTH}}.items():
            print(f"{name:28}{measure['PSS']:>10}{measure['RSS']:10}{measure['anonymous']:15}{measure['descriptors']:13}", file=out)
