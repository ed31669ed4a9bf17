# SPDX-License-Identifier: Apache-2.0
"""Several workers (pytest -n 2): each has a network of its own, in which nobody else's addresses and rules are."""
import ctypes
import os
import subprocess

import pytest

CLONE_NEWNET = 0x40000000


def pytest_configure(config):
    if not hasattr(config, "workerinput") or os.geteuid() != 0:
        return
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) < 0:
        pytest.exit(f"a worker needs a network namespace of its own: {os.strerror(ctypes.get_errno())}", 4)
    # Beside its own, a host has an address that it talks to its tasks from.
    for line in ("link set lo up", "address add 192.0.2.1/32 dev lo"):
        subprocess.run(["ip", *line.split()], check=True)
