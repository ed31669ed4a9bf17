# SPDX-License-Identifier: Apache-2.0
"""Kills the agent, containerd and the control plane now and then, and starts them again."""
import random
import signal
import threading
import time


class Killer:
    """Between two kills of each it waits at random, in seconds between two numbers."""

    # The agent sometimes lives long enough for a health check to be due, which is after 5 seconds.
    WAITS = {"agent": [(0.4, 2)] * 7 + [(6.5, 8)], "containerd": [(5, 20)], "control": [(3, 12)]}

    def __init__(self, lab, seed):
        self.lab, self.random = lab, random.Random(seed)
        self.kills = dict.fromkeys(self.WAITS, 0)
        self.problems = []
        self.next = {}
        self.stopped = threading.Event()
        self.thread = None

    def start(self, *who):
        self.next = {name: self.later(name) for name in who}
        self.stopped.clear()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def stop(self):
        self.stopped.set()
        self.thread.join()

    def later(self, name):
        return time.monotonic() + self.random.uniform(*self.random.choice(self.WAITS[name]))

    def run(self):
        while not self.stopped.wait(0.02):
            for name in [name for name, when in self.next.items() if when <= time.monotonic()]:
                try:
                    getattr(self, name)()
                except Exception as error:  # the run goes on, and tells of it
                    self.problems.append(f"{name} could not be killed and started again: {error!r}")
                self.kills[name] += 1
                self.next[name] = self.later(name)

    def agent(self):
        agent = self.lab.agents[0]
        code = agent.kill()
        if code != -signal.SIGKILL:
            self.problems.append(f"the agent had ended by itself with {code}: {agent.daemon.text()[-5000:]}")
        time.sleep(self.random.choice((0, 0, 0.3)))  # how long it is away
        agent.start(wait=False)

    def containerd(self):
        self.lab.containerd.daemon.kill()
        self.lab.containerd.start()

    def control(self):
        self.lab.control.daemon.kill()
        self.lab.control.start()
