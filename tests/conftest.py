# SPDX-License-Identifier: Apache-2.0
"""Several workers (pytest -n 2): each has a network of its own, in which nobody else's addresses and rules are."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tests.lab import network  # noqa: E402  (the path above comes first)


def pytest_configure(config):
    if not hasattr(config, "workerinput") or os.geteuid() != 0:
        return
    try:
        network.enter_own()
    except OSError as error:
        pytest.exit(f"a worker needs a network namespace of its own: {error}", 4)
