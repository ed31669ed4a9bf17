# SPDX-License-Identifier: Apache-2.0
"""
A test that is skipped tests nothing. Where all must run, BERTH_NO_SKIP=1 makes a skip a failure, but for what probing has
shown that this kernel does not have.
"""
import os

import pytest

NOT_HERE = "not on this kernel: "  # tests in C begin their reason so as well


def no_kernel(what):
    """Skips the test for want of a feature of the kernel, or of this machine's rights to it."""
    pytest.skip(NOT_HERE + what)


def judge(report):
    """Of a test's report, from the hook that makes it."""
    if os.environ.get("BERTH_NO_SKIP", "0") in ("", "0") or not report.skipped or hasattr(report, "wasxfail"):
        return
    place, line, reason = report.longrepr
    if NOT_HERE not in reason:
        report.outcome = "failed"
        report.longrepr = f"{place}:{line}: {reason}\nBERTH_NO_SKIP=1: a skip is a failure"
