# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests that run within the guest: those of the end-to-end tests."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))))
from tests.e2e.conftest_lab import *  # noqa: E402,F401,F403  (the path above comes first)
