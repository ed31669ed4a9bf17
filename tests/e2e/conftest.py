# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the end-to-end tests. Those that run real containers are in conftest_lab.py; here the control plane alone."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from tests.e2e.conftest_lab import *  # noqa: E402,F401,F403  (the path above comes first)
from tests.lab.berth import Control, program  # noqa: E402


class ControlAlone(Control):
    """berth-control without agents: no root, no containers. What it says when it ends badly is part of the failure."""

    probe = None

    def answers(self):
        return bool(self.probe(self)) if self.probe and self.daemon.alive() else super().answers()

    def end(self):
        code = self.stop()
        assert code == 0, f"berth-control ended with {code}: {self.daemon.text()[-4000:]}"

    def restart(self):
        self.end()
        return self.start()


def start_control(directory, probe=None, **options):
    if not os.path.exists(program("berth-control")):
        pytest.skip(f"{program('berth-control')} is not built")
    control = ControlAlone(str(directory), **options)
    control.probe = probe
    return control.start()


@pytest.fixture
def control(tmp_path):
    """A private control plane, in memory."""
    control = start_control(tmp_path / "control")
    yield control
    control.end()


@pytest.fixture
def durable_control(tmp_path):
    """A private control plane with its state in a file: `restart()` it."""
    control = start_control(tmp_path / "control", state="file")
    yield control
    control.end()


@pytest.fixture
def control_with(tmp_path):
    """
    control_with("--keys", file): a private control plane with arguments of its own. `probe` tells whether it answers, where
    a plain call would not do.
    """
    started = []

    def make(*arguments, **options):
        started.append(start_control(tmp_path / f"control{len(started)}", arguments=arguments, **options))
        return started[-1]

    yield make
    for control in started:
        control.end()


@pytest.fixture
def ecs(control):
    return control.boto()
