# SPDX-License-Identifier: Apache-2.0
"""Control groups of this host by their path in the hierarchy, whichever version it has."""
import glob
import os

from .processes import oldest

ROOT = "/sys/fs/cgroup"


def hierarchies():
    """Where each hierarchy is mounted: one with version 2, several with version 1."""
    if os.path.exists(f"{ROOT}/cgroup.controllers"):
        return [ROOT]
    return [path.rstrip("/") for path in glob.glob(f"{ROOT}/*/")]


def directories(path):
    """The directories of a group, one in each hierarchy that has it; the path may be a pattern."""
    return [found for root in hierarchies() for found in glob.glob(root + path) if os.path.isdir(found)]


def main(path):
    """The directory of a group in the hierarchy that accounts for memory: every container is in that one."""
    root = ROOT if os.path.exists(f"{ROOT}/cgroup.controllers") else f"{ROOT}/memory"
    return root + path


def processes(path):
    """The processes in the group itself."""
    with open(os.path.join(main(path), "cgroup.procs")) as file:
        return [int(pid) for pid in file.read().split()]


def first_process(path):
    """The one that was there first: a container's own, beside those that it has started."""
    return oldest(processes(path))
