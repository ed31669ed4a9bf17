# SPDX-License-Identifier: Apache-2.0
"""A short soak; `python3 -m tests.soak` runs a long one."""
import subprocess
import sys

import pytest

from tests.lab.berth import ROOT, sanitized
from tests.soak.soak import Soak


@pytest.mark.lab(subnet="10.99.0.0/22", state="file")
def test_many_short_tasks_while_everything_is_killed(lab):
    """What the sanitizers keep of memory that was freed is no growth: with them, fewer tasks, and only their ends are looked at."""
    soak = Soak(lab, tasks=60 if sanitized() else 150, seed=1, parallel=6 if sanitized() else 12)
    try:
        soak.run()
    finally:
        soak.report(sys.stdout)
    wrong = soak.wrong(growth=not sanitized())
    assert not wrong, "\n".join(wrong)


def test_nothing_is_left_of_the_networks_of_many_tasks(real_host):
    """
    net-T29: tasks come and go, the agent is killed at any time. On a network of its own, which no other test looks at meanwhile.
    """
    done = subprocess.run(["/usr/bin/python3", "-B", "-m", "tests.soak", "--network", "--tasks", "20" if sanitized() else "40",
                           "--seed", "3"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
    assert done.returncode == 0, done.stdout
