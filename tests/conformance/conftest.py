# SPDX-License-Identifier: Apache-2.0
"""The real berth-agent against a scripted peer. No container runs: what a task needs of the host is not there, on purpose."""
import contextlib
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)), ROOT]
import peer as peers  # noqa: E402  (the paths above come first)
from tests.lab import leaks, skips  # noqa: E402

BUILD = os.path.abspath(os.environ.get("BERTH_BUILD", os.path.join(ROOT, "build", "release")))
AGENT = os.path.join(BUILD, "bin", "berth-agent")


class Agent:
    """One agent on a data directory of its own. start() and stop() as often as a test likes."""

    def __init__(self, url, directory):
        self.directory, self.process = directory, None
        self.cgroup = f"/berth-conformance-{os.getpid()}"
        self.code = None  # the exit code of the last life
        self.program, self.arguments = AGENT, ["--config", ""]
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
            "BERTH_CGROUP_PARENT": self.cgroup,
            "BERTH_INTROSPECTION_PORT": "0",
            "BERTH_METADATA_PORT": "0",
        }
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                self.settings[name] = os.environ[name]
        self.log = os.path.join(directory, "log")
        self.settings["BERTH_CTR"] = self._stuck_ctr()
        self.start_containerd()

    def start_containerd(self):
        """Its socket, which is there, and silent."""
        self.containerd = socket.socket(socket.AF_UNIX)
        self.containerd.bind(self.settings["BERTH_CONTAINERD_ADDRESS"])
        self.containerd.listen(128)

    def end_containerd(self):
        self.containerd.close()
        self.containerd = None
        os.unlink(self.settings["BERTH_CONTAINERD_ADDRESS"])

    def _stuck_ctr(self):
        """
        A client of containerd that gets a version, and whose pulls never end (until the agent does): tasks stay where they
        are.
        """
        path = os.path.join(self.directory, "ctr")
        with open(path, "w") as script:
            # As long as its parent is the agent: its number alone may soon be another's. Where the agent was killed before
            # this shell began, the parent has been init from the beginning.
            script.write('#!/bin/sh\n[ "${5-}" != version ] || exit 0\n[ "$PPID" != 1 ] || exit 1\n'
                         'while [ -e "$0" ] && read -r pid name state parent rest </proc/$$/stat && '
                         '[ "$parent" = "$PPID" ]; do sleep 0.1; done\n')
        os.chmod(path, 0o755)
        return path

    def start(self, **settings):
        """`settings` stay for later starts; None removes one."""
        self.settings.update(settings)
        environment = {name: str(value) for name, value in self.settings.items() if value is not None}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([self.program, *self.arguments], env=environment, stdout=log, stderr=log)
        return self

    def stop(self, sig=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(sig)
        return self.wait()

    def wait(self, timeout=peers.DEADLINE):
        """The exit code."""
        if not self.process:
            return None
        try:
            code = self.process.wait(timeout)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        self.process, self.code = None, code
        return code

    def metadata(self, path, **headers):
        """Status and body of what the metadata endpoint of the host answers; for a start with BERTH_METADATA_PORT."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.settings['BERTH_METADATA_PORT']}{path}", headers=headers)
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def is_running(self):
        return self.process.poll() is None

    def wait_text(self, *parts):
        """A line of its log has all of these."""
        until = time.monotonic() + peers.DEADLINE
        while not any(all(part in line for part in parts) for line in self.text().splitlines()):
            assert time.monotonic() < until, f"the agent did not say {parts}"
            time.sleep(0.02)

    def text(self):
        with open(self.log, errors="replace") as log:
            return log.read()


def tasks_of(agent):
    """The ids of those that it goes on with when it comes back."""
    with contextlib.suppress(sqlite3.Error), contextlib.closing(
            sqlite3.connect(f"file:{agent.settings['ECS_DATADIR']}/agent.db?mode=ro", uri=True)) as state:
        return {row[0] for row in state.execute("SELECT id FROM task")}
    return set()


def left_of(agent):
    """
    What an agent that has ended has left on the host. The parent of its control groups stays, with an empty group for each
    task that lives on. Where it was killed, so does the mount below which network namespaces are kept; that is removed here.
    """
    tasks = tasks_of(agent)
    keeper = f"{agent.settings['BERTH_RUN_DIR']}/netns"
    if (agent.code or 0) < 0 and keeper in leaks.mounts(agent.directory):
        subprocess.run(["umount", keeper], check=True)

    def now():
        return ({f"mount {where}" for where in leaks.mounts(agent.directory)} |
                {f"control group {group}" for group in leaks.cgroups(agent.cgroup)
                 if os.path.basename(group) not in tasks} |
                set(leaks.processes(agent.directory)))
    left = leaks.difference(set(), now, 30)
    return left + [f"control group {group} is in use" for group in leaks.sweep(agent)]


@pytest.fixture
def program():
    """Its path, for runs that only print."""
    if not os.path.exists(AGENT):
        pytest.skip(f"{AGENT} is not built")
    return AGENT


@pytest.fixture
def agent_program(program):
    if os.geteuid() != 0:
        pytest.skip("the agent needs root")
    return program


@pytest.fixture
def peer(agent_program):
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
    if agent.containerd:
        agent.end_containerd()
    assert left_of(agent) == []
    shutil.rmtree(directory)
    if code is not None:
        assert code == 0, "the agent stops in order"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    skips.judge((yield).get_result())


@pytest.fixture
def connected(agent, peer):
    """The agent, registered and connected: (agent, its ACS connection)."""
    agent.start()
    return agent, peer.acs.next()


def wait_until(condition, timeout=peers.DEADLINE, what="the condition"):
    until = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < until, f"{what} did not come true within {timeout} s"
        time.sleep(0.005)


pytest.wait_until = wait_until
