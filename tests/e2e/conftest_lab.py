# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests that run real containers."""
import os
import shutil
import signal
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from tests.lab import skips  # noqa: E402  (the path above comes first)
from tests.lab.berth import Lab, program  # noqa: E402


@pytest.fixture(scope="session")
def real_host():
    """Skips where this host lacks what real containers need."""
    if os.geteuid() != 0:
        pytest.skip("real containers need root")
    for tool in ("containerd", "ctr", "docker-registry", "runc"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    if not os.path.exists(program("berth-agent")):
        pytest.skip(f"{program('berth-agent')} is not built")
    done = subprocess.run(["unshare", "-n", "true"], stderr=subprocess.PIPE, text=True)
    if done.returncode:
        skips.no_kernel(f"network namespaces: {done.stderr.strip()}")


@pytest.fixture
def lab(real_host, request):
    """A private host without an agent. Options by @pytest.mark.lab(...)."""
    marker = request.node.get_closest_marker("lab")
    with Lab(**(marker.kwargs if marker else {})) as lab:
        yield lab
        if getattr(request.node, "failed_in_call", False):
            lab.report()


@pytest.fixture
def host(lab):
    """A private host with one agent that is connected, and an image `web` (see tests/lab/images.py)."""
    lab.image = lab.registry.image("web")
    lab.agent(AWS_CA_BUNDLE=None).start()
    return lab


def pytest_configure(config):
    config.addinivalue_line("markers", "lab(**options): options of the private host")
    # Told to end (a time limit, a person): no further test, and the fixtures clear away what they made.
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("told to end", 128 + signal.SIGTERM))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    skips.judge(report)
    if call.when == "call" and report.failed:
        item.failed_in_call = True
