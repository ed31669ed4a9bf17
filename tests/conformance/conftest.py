# SPDX-License-Identifier: Apache-2.0
"""The real berth-agent against a scripted peer. No container runs: what a task needs of the host is not there, on purpose."""
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import peer as peers  # noqa: E402  (the path above comes first)

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BERTH_BUILD", os.path.join(ROOT, "build", "release"))
AGENT = os.path.join(BUILD, "bin", "berth-agent")


class Agent:
    """One agent on a data directory of its own. start() and stop() as often as a test likes."""

    def __init__(self, url, directory):
        self.directory, self.process = directory, None
        self.settings = {
            "PATH": os.environ["PATH"],
            "AWS_DEFAULT_REGION": peers.REGION,
            "AWS_ACCESS_KEY_ID": peers.KEY,
            "AWS_SECRET_ACCESS_KEY": peers.SECRET,
            "AWS_SESSION_TOKEN": peers.TOKEN,
            "ECS_BACKEND_HOST": url,
            "ECS_CLUSTER": "demo",
            "ECS_DATADIR": os.path.join(directory, "data"),
            "ECS_LOGLEVEL": "debug",
            "BERTH_RUN_DIR": os.path.join(directory, "run"),
            "BERTH_LIBEXEC_DIR": os.path.join(BUILD, "bin"),
            "BERTH_CONTAINERD_ADDRESS": os.path.join(directory, "containerd.sock"),
            "BERTH_CGROUP_PARENT": f"/berth-conformance-{os.getpid()}",
            "BERTH_INTROSPECTION_PORT": "0",
            "BERTH_METADATA_PORT": "0",
        }
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                self.settings[name] = os.environ[name]
        self.log = os.path.join(directory, "log")
        self.settings["BERTH_CTR"] = self._stuck_ctr()
        self.containerd = socket.socket(socket.AF_UNIX)  # there, and silent
        self.containerd.bind(self.settings["BERTH_CONTAINERD_ADDRESS"])
        self.containerd.listen(128)

    def _stuck_ctr(self):
        """A client of containerd whose pulls never end (until the agent does): tasks stay where they are."""
        path = os.path.join(self.directory, "ctr")
        with open(path, "w") as script:
            # As long as its parent is the agent: its number alone may soon be another's.
            script.write('#!/bin/sh\nwhile read -r pid name state parent rest </proc/$$/stat && [ "$parent" = "$PPID" ]; '
                         'do sleep 0.1; done\n')
        os.chmod(path, 0o755)
        return path

    def start(self, **settings):
        """`settings` stay for later starts; None removes one."""
        self.settings.update(settings)
        environment = {name: str(value) for name, value in self.settings.items() if value is not None}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([AGENT, "--config", ""], env=environment, stdout=log, stderr=log)
        return self

    def stop(self, sig=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(sig)
        return self.wait()

    def wait(self, timeout=20):
        """The exit code."""
        if not self.process:
            return None
        try:
            code = self.process.wait(timeout)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        self.process = None
        return code

    def is_running(self):
        return self.process.poll() is None

    def text(self):
        with open(self.log, errors="replace") as log:
            return log.read()


def remove_control_groups(name):
    """The agent makes its parent group in each hierarchy; nothing runs in it."""
    for place, folders, _ in os.walk("/sys/fs/cgroup"):
        if name in folders:
            for inner, _, _ in os.walk(os.path.join(place, name), topdown=False):
                os.rmdir(inner)
        if place.count("/") >= 5:
            folders.clear()


def unmount_below(directory):
    """The agent keeps the place of network namespaces mounted over its own life."""
    with open("/proc/self/mounts") as mounts:
        points = [line.split()[1] for line in mounts]
    for point in reversed(points):
        if point.startswith(directory + "/"):
            subprocess.run(["umount", point], check=True)


@pytest.fixture
def program():
    """Its path, for runs that only print."""
    if not os.path.exists(AGENT):
        pytest.skip(f"{AGENT} is not built")
    return AGENT


@pytest.fixture
def peer():
    if os.geteuid() != 0:
        pytest.skip("the agent needs root")
    if not os.path.exists(AGENT):
        pytest.skip(f"{AGENT} is not built")
    control = peers.Peer()
    yield control
    control.stop()
    assert control.bad_signatures == []


@pytest.fixture
def agent(peer, request):
    directory = tempfile.mkdtemp(prefix="berth-conformance-")
    agent = Agent(peer.url, directory)
    yield agent
    code = agent.stop()
    if os.path.exists(agent.log):
        print(agent.text())
    agent.containerd.close()
    unmount_below(directory)
    shutil.rmtree(directory)
    remove_control_groups(agent.settings["BERTH_CGROUP_PARENT"].strip("/"))
    if code is not None:
        assert code == 0, "the agent stops in order"


@pytest.fixture
def connected(agent, peer):
    """The agent, registered and connected: (agent, its ACS connection)."""
    agent.start()
    return agent, peer.acs.next()


def wait_until(condition, timeout=20, what="the condition"):
    until = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < until, f"{what} did not come true within {timeout} s"
        time.sleep(0.005)


pytest.wait_until = wait_until
