# SPDX-License-Identifier: Apache-2.0
"""A short soak; `python3 -m tests.soak` runs a long one."""
import sys

import pytest

from tests.lab.berth import sanitized
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
