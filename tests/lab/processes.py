# SPDX-License-Identifier: Apache-2.0
"""Daemons that a test starts and ends by pid, and waiting for what they do with a deadline."""
import contextlib
import os
import random
import signal
import socket
import subprocess
import threading
import time


# How many times longer than on a machine of its own anything may take: an emulated one is slow.
PATIENCE = float(os.environ.get("BERTH_TEST_PATIENCE", "1"))

# Of these free_port() gives some away. All of them are below those that the kernel chooses from for whoever connects, so that a
# port stays free until it is bound; those from 30000 on are for tests that want certain ones.
FREE_PORTS = range(10000, 30000)
_given, _giving = set(), threading.Lock()


def free_port():
    """Never the same twice: whoever asked may not have bound it yet, or be away for a moment."""
    for port in random.sample(FREE_PORTS, len(FREE_PORTS)):
        with _giving, socket.socket() as probe, contextlib.suppress(OSError):
            if port in _given:
                continue
            probe.bind(("0.0.0.0", port))
            _given.add(port)
            return port
    raise RuntimeError("no port is free")


def wait_for(what, check, seconds=60, every=0.01):
    """
    The first true answer of `check`; an exception that it raises counts as no answer until the deadline. The deadline is for
    what does not come at all: a busy machine under the sanitizers takes its time.
    """
    seconds *= PATIENCE
    end = time.monotonic() + seconds
    last = None
    while True:
        try:
            answer = check()
            if answer:
                return answer
        except Exception as error:  # what is not there yet may fail in any way
            last = error
        if time.monotonic() >= end:
            raise TimeoutError(f"{what}: not within {seconds} s" + (f" (last: {last!r})" if last else ""))
        time.sleep(every)


def birth(pid):
    """When a process was started, in the kernel's ticks."""
    with open(f"/proc/{pid}/stat") as file:
        # The name may hold spaces and brackets; the start time is field 22, the twentieth after it.
        return int(file.read().rpartition(")")[2].split()[19])


def oldest(pids):
    """The process that was started first, which is not the one with the lowest number: numbers wrap. Those that have gone
    meanwhile do not count; None when none is left."""
    born = []
    for pid in pids:
        with contextlib.suppress(OSError):
            born.append((birth(pid), int(pid)))
    return min(born)[1] if born else None


def environment_of(pid, name):
    """
    The variables that a container's first process was given, once `name` is among them: before it is executed, and RUNNING
    can be reported earlier, the OCI runtime's own stand there.
    """
    def read():
        with open(f"/proc/{pid}/environ", "rb") as file:
            found = dict(item.decode().split("=", 1) for item in file.read().split(b"\0") if b"=" in item)
        return found if name in found else None
    return wait_for(f"{name} in the environment of {pid}", read)


def catches(pid, number=signal.SIGTERM):
    """Whether the process has set a handler for the signal. The first one of a container sets it some time after RUNNING; until
    then the kernel drops what it has not asked for."""
    with open(f"/proc/{pid}/status") as file:
        mask = next(int(line.split()[1], 16) for line in file if line.startswith("SigCgt:"))
    return bool(mask >> (number - 1) & 1)


END_SECONDS = 30 * PATIENCE


class Daemon:
    """One process with its output in a file."""

    def __init__(self, name, argv, log, env=None, cwd=None):
        self.name, self.argv, self.log, self.env, self.cwd = name, argv, log, env, cwd
        self.process = None
        self.lives = 0

    def start(self):
        self.lives += 1
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self.env,
                                            cwd=self.cwd, start_new_session=True)
        return self

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def text(self):
        try:
            with open(self.log, errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def kill(self, number=signal.SIGKILL):
        """Signals the process and waits for its end; returns its exit code (negative for a signal)."""
        if not self.alive():
            return self.process.returncode if self.process else None
        os.kill(self.pid, number)
        try:
            return self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            os.kill(self.pid, signal.SIGKILL)
            self.process.wait(END_SECONDS)
            raise RuntimeError(f"{self.name} went on for {END_SECONDS} s after signal {int(number)}") from None

    def stop(self):
        return self.kill(signal.SIGTERM)
