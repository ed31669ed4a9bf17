# SPDX-License-Identifier: Apache-2.0
"""Several hosts on one wire: a network namespace each, that an agent is started in."""
import os
import subprocess

from .processes import wait_for

WIRE, NETWORK = "wire0", "198.51.100"
GATEWAY = f"{NETWORK}.254"  # of the network that tests run in: the control plane is reached there


def _ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


class Wire:
    """A bridge in the network that the test runs in."""

    def start(self):
        _ip("link", "add", WIRE, "type", "bridge")
        _ip("address", "add", f"{GATEWAY}/24", "dev", WIRE)
        _ip("link", "set", WIRE, "up")

    def close(self):
        subprocess.run(["ip", "link", "delete", WIRE], stderr=subprocess.DEVNULL)


class Host:
    """One host of the wire: what it reaches is the others and the control plane. close() is for one that half started, too."""

    def __init__(self, number, mtu):
        self.name, self.address, self.port = f"host{number}", f"{NETWORK}.{number}", f"wire-port{number}"
        self.mtu, self.holder, self.pid = str(mtu), None, None

    def start(self):
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], start_new_session=True)
        self.pid = self.holder.pid
        own = os.readlink("/proc/self/ns/net")
        wait_for("a network namespace", lambda: os.readlink(f"/proc/{self.pid}/ns/net") != own)
        _ip("link", "add", self.port, "mtu", self.mtu, "type", "veth", "peer", "name", "up0", "mtu", self.mtu, "netns",
            str(self.pid))
        _ip("link", "set", self.port, "master", WIRE, "up")
        for line in ("link set lo up", "link set up0 up", f"address add {self.address}/24 dev up0",
                     f"route add default via {GATEWAY}"):
            self.run("ip", *line.split())

    def enter(self):
        """What stands before a command that runs on this host."""
        return ["nsenter", "--target", str(self.pid), "--net"]

    def run(self, *argv):
        return subprocess.run([*self.enter(), *argv], check=True, stdout=subprocess.PIPE, text=True).stdout

    def close(self):
        if self.holder:
            self.holder.kill()
            self.holder.wait()
        subprocess.run(["ip", "link", "delete", self.port], stderr=subprocess.DEVNULL)
