# SPDX-License-Identifier: Apache-2.0
"""A short soak; `python3 -m tests.soak` runs a long one."""
import sys

import pytest

from tests.lab.berth import sanitized
from tests.soak.soak import Soak


@pytest.mark.skipif(sanitized(), reason="it counts on speed: the long one may be run with the sanitizers by hand")
@pytest.mark.lab(subnet="10.99.0.0/22", state="file")
def test_many_short_tasks_while_everything_is_killed(lab):
    soak = Soak(lab, tasks=150, seed=1, parallel=12)
    try:
        soak.run()
    finally:
        soak.report(sys.stdout)
    wrong = soak.wrong()
    assert not wrong, "\n".join(wrong)
