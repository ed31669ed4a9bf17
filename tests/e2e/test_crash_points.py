# SPDX-License-Identifier: Apache-2.0
"""
The agent is killed at each point at which it saves or does something (agent/crash_point.h), one after the other, and started
again: the task ends as if nothing had happened, and leaves nothing.
"""
import collections
import concurrent.futures

import pytest

from tests.e2e.crash_scenario import Scenario, push_image
from tests.lab.berth import Lab, sanitized

# What the scenario passes, checked by test_the_points_are_these. One test for each; it has a run for each passing.
POINTS = """
commit-before
commit-after
act-before ACKNOWLEDGE
act-after ACKNOWLEDGE
save-before ATTACHMENT
save-after ATTACHMENT
act-before PULL_IMAGE job
act-after PULL_IMAGE job
answer-before PULL_IMAGE job
act-before PULL_IMAGE twice
act-after PULL_IMAGE twice
answer-before PULL_IMAGE twice
act-before CREATE_RESOURCE
act-after CREATE_RESOURCE
answer-before CREATE_RESOURCE
act-before OPEN_NETNS
act-after OPEN_NETNS
answer-before OPEN_NETNS
act-before ATTACH_NETWORK
act-after ATTACH_NETWORK
answer-before ATTACH_NETWORK
act-before CREATE_CONTAINER job
act-after CREATE_CONTAINER job
answer-before CREATE_CONTAINER job
act-before START_CONTAINER job
act-after START_CONTAINER job
answer-before START_CONTAINER job
act-before CREATE_CONTAINER twice
act-after CREATE_CONTAINER twice
answer-before CREATE_CONTAINER twice
act-before START_CONTAINER twice
act-after START_CONTAINER twice
answer-before START_CONTAINER twice
exit-before job
exit-before twice
act-before RESTART_CONTAINER twice
act-after RESTART_CONTAINER twice
answer-before RESTART_CONTAINER twice
act-before PULL_IMAGE app
act-after PULL_IMAGE app
answer-before PULL_IMAGE app
act-before CREATE_CONTAINER app
act-after CREATE_CONTAINER app
answer-before CREATE_CONTAINER app
act-before START_CONTAINER app
act-after START_CONTAINER app
answer-before START_CONTAINER app
act-before PROBE_HEALTH app
act-after PROBE_HEALTH app
answer-before PROBE_HEALTH app
act-before REPORT
act-after REPORT
accepted-before
accepted-after
act-before STOP_CONTAINER app
act-after STOP_CONTAINER app
exit-before app
answer-before STOP_CONTAINER app
act-before TEAR_DOWN_NETWORK
act-after TEAR_DOWN_NETWORK
answer-before TEAR_DOWN_NETWORK
act-before REMOVE_CONTAINER job
act-after REMOVE_CONTAINER job
answer-before REMOVE_CONTAINER job
act-before REMOVE_CONTAINER twice
act-after REMOVE_CONTAINER twice
answer-before REMOVE_CONTAINER twice
act-before REMOVE_CONTAINER app
act-after REMOVE_CONTAINER app
answer-before REMOVE_CONTAINER app
act-before CLEAN_UP_TASK
act-after CLEAN_UP_TASK
answer-before CLEAN_UP_TASK
act-before FORGET_TASK
forget-before ATTACHMENT
forget-after ATTACHMENT
act-after FORGET_TASK
""".strip().splitlines()

# Killed once more while it finds out what is true: before and after the first thing that the next agent saves.
TWICE = ["act-after CREATE_CONTAINER job", "act-after RESTART_CONTAINER twice", "answer-before START_CONTAINER app", "act-after STOP_CONTAINER app",
         "answer-before TEAR_DOWN_NETWORK", "act-after CLEAN_UP_TASK"]

SPREAD = 6  # under the sanitizers one name of so many, and its first passing only
SIDE_BY_SIDE = 4 if sanitized() else 12


class Runs:
    """The runs of all selected tests, side by side; each test waits for its own."""

    def __init__(self, lab, tests, mode="awsvpc"):
        self.lab, self.mode = lab, mode
        push_image(lab)
        self.reference = Scenario(lab, "reference", mode=mode)
        self.outcome = self.reference.run()
        self.reference.end()
        self.passings = collections.Counter(line.split("#")[0] for line in self.reference.passed())
        self.pool = concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE)
        self.runs = {points: self.pool.submit(self.run, f"run{number}", points)
                     for number, points in enumerate(points for names in tests for points in self.each_passing(*names))}

    def each_passing(self, name, second=None):
        if second:
            return [(f"{name}#1", second)]
        # One probe is like the other, and how many there are is a matter of time.
        count = 1 if sanitized() or "PROBE" in name else max(self.passings[name], 1)
        return [(f"{name}#{number}",) for number in range(1, count + 1)]

    def failures(self, *names):
        return "\n\n".join(failure for points in self.each_passing(*names) if (failure := self.runs[points].result()))

    def run(self, name, points):
        """None, or what went wrong."""
        scenario = Scenario(self.lab, name, *points, mode=self.mode)
        try:
            outcome = scenario.run()
            assert outcome == self.outcome, f"{outcome}\nand without a crash: {self.outcome}"
            scenario.end()
            # What one turn of the loop brings together is committed together: there may be fewer commits than before.
            assert scenario.deaths == len(points) or not points[0].endswith("#1"), "the point was not passed"
        except Exception as error:  # is the test's, which is another thread's
            return f"killed at {points}: {error!r}\n{scenario.story()}"
        return None

    def end(self):
        self.pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="module")
def runs(real_host, request):
    tests = [item.callspec.params.values() for item in request.session.items
             if item.getparent(pytest.Module) is request.node and hasattr(item, "callspec")]
    with Lab() as lab:
        runs = Runs(lab, tests)
        yield runs
        runs.end()


def test_the_points_are_these(runs):
    """A point that is new, or is not passed any more, is a change to this list."""
    passed = {line.split("#")[0] for line in runs.reference.passed()}
    # A session that is renewed between the request to stop and its arrival brings a manifest without the task.
    assert {name for name in passed if "STOP_CANDIDATES" not in name} == set(POINTS)
    assert {text.split()[0] for text in runs.reference.held} == {"cgroup", "mount", "interface", "file", "process"}
    assert runs.outcome["starts"] == {"job": 1, "app": 1, "twice": 2}
    assert {name: container["exitCode"] for name, container in runs.outcome["containers"].items()} == {
        "job": 7, "app": 42, "twice": 5}


@pytest.mark.parametrize("name", POINTS[::SPREAD] if sanitized() else POINTS)
def test_killed_at(runs, name):
    """eng-78, eng-79, eng-81, eng-82, eng-98, acs-M4."""
    failures = runs.failures(name)
    assert not failures, failures


@pytest.mark.parametrize("name, second", [(name, second) for name in (TWICE[:1] if sanitized() else TWICE)
                                          for second in ("commit-before#1", "commit-after#1")])
def test_killed_again_while_it_recovers(runs, name, second):
    failures = runs.failures(name, second)
    assert not failures, failures
