# SPDX-License-Identifier: Apache-2.0
"""The same in network mode bridge, at the points that awsvpc tasks do not pass."""
import pytest

from tests.e2e.test_crash_points import Runs
from tests.lab.berth import Lab

POINTS = [f"{when} {effect} {name}" for effect in ("CONNECT_CONTAINER", "DISCONNECT_CONTAINER") for name in ("job", "app")
          for when in ("act-before", "act-after", "answer-before")]


@pytest.fixture(scope="module")
def runs(real_host, request):
    tests = [item.callspec.params.values() for item in request.session.items
             if item.getparent(pytest.Module) is request.node and hasattr(item, "callspec")]
    with Lab() as lab:
        runs = Runs(lab, tests, "bridge")
        yield runs
        runs.end()


def test_these_points_are_passed(runs):
    assert set(POINTS) <= set(runs.passings)
    assert {text.split()[0] for text in runs.reference.held} == {"cgroup", "mount", "interface", "file", "process"}


@pytest.mark.parametrize("name", POINTS)
def test_killed_at(runs, name):
    """net-T29"""
    failures = runs.failures(name)
    assert not failures, failures
