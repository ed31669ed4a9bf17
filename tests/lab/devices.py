# SPDX-License-Identifier: Apache-2.0
"""
Network devices for an agent that takes them as they come (BERTH_ENI_DRIVER=eni). An end of a veth plays the device: the kernel
says that it is software, so a test repeats the kernel's message as of a device on the bus, and the agent is told to count veths.
"""
import itertools
import socket
import struct
import subprocess

NETLINK_KOBJECT_UEVENT = 15
GROUP = 0xBEEF  # of the links of a test, so that they go at once
NUMBERS = itertools.count(1)


def uevent(interface, path="vif-1", **members):
    """The kernel's message about a new device, as it sends it. A member that is None is left out."""
    members = {"ACTION": "add", "DEVPATH": f"/devices/{path}/net/{interface}", "SUBSYSTEM": "net", "INTERFACE": interface,
               "IFINDEX": "7", **members}
    return b"".join(line.encode() + b"\0" for line in [f"add@/devices/{path}/net/{interface}"] +
                    [f"{name}={value}" for name, value in members.items() if value is not None])


def say(*messages):
    """Has the kernel say it in this network: what root sends to it, it sends to all, as its own, with a SEQNUM."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_KOBJECT_UEVENT) as speaker:
        for message in messages:
            speaker.sendto(struct.pack("=IHHII", 16 + len(message), 16, 1, 0, 0) + message, (0, 0))


class Devices:
    """Those of one test."""

    def __init__(self):
        self.names = {}  # by MAC

    def mac(self):
        return "0a:be:%02x:%02x:%02x:%02x" % tuple(struct.pack(">I", next(NUMBERS)))

    def plug(self, *macs, path=None):
        """All at once; with a path on the bus the kernel says so, too. The name of the last."""
        lines = []
        for mac in macs:
            name = self.names[mac] = f"card{next(NUMBERS)}"
            lines.append(f"link add {name} address {mac} type veth peer name {name}p\nlink set {name}p group {GROUP}\n")
        self._batch("".join(lines))
        if path:
            say(*(uevent(self.names[mac], path) for mac in macs))
        return self.names[macs[-1]]

    def unplug(self, mac):
        self._batch(f"link del {self.names.pop(mac)}p\n")

    def close(self):
        """Those that are in a task go with their other ends."""
        if self.names:
            self._batch(f"link del group {GROUP}\n")
        assert " card" not in subprocess.run(["ip", "link"], check=True, stdout=subprocess.PIPE, text=True).stdout

    def _batch(self, text):
        subprocess.run(["ip", "-batch", "-"], input=text.encode(), check=True)
