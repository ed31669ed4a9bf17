# SPDX-License-Identifier: Apache-2.0
"""The floor: what the same task costs without any agent, by the plain tools.

A network namespace, a veth pair with addresses and routes, and two containers (pause, application) by `runc create` and
`runc start`, one after the other.
"""
import json
import os
import shutil
import subprocess
import time


def run(*argv):
    # No pipe: the container keeps it open, and whoever reads it to its end waits for the container.
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Floor:
    def __init__(self, directory, cgroup, runtime="runc"):
        self.directory, self.cgroup, self.runtime = directory, cgroup, runtime
        self.root = os.path.join(directory, "runc")
        self.bundles = {}
        self.container_ms = []  # create and start, of each container
        for name in ("pause", "app"):
            bundle = os.path.join(directory, name)
            rootfs = os.path.join(bundle, "rootfs", "bin")
            os.makedirs(rootfs)
            for inner in ("proc", "sys", "dev", "tmp"):
                os.makedirs(os.path.join(bundle, "rootfs", inner))
            shutil.copy("/bin/busybox", rootfs)
            run(self.runtime, "spec", "--bundle", bundle)
            self.bundles[name] = bundle

    def configure(self, name, number, netns):
        path = os.path.join(self.bundles[name], "config.json")
        with open(path) as file:
            config = json.load(file)
        config["process"].update(terminal=False, args=["/bin/busybox", "sleep", "1000"])
        config["process"]["rlimits"] = []
        config["linux"]["cgroupsPath"] = f"{self.cgroup}/floor{number}/{name}"
        config["linux"]["namespaces"] = [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")] + \
            [{"type": "network", "path": netns}]
        with open(path, "w") as file:
            json.dump(config, file)

    def start(self, number):
        """Milliseconds from nothing to both containers running."""
        space, host = f"floor{number}", f"vefloor{number}"
        address = f"10.98.{number // 250}.{number % 250 + 2}"
        for name in self.bundles:
            self.configure(name, number, f"/run/netns/{space}")
        began = time.monotonic()
        run("ip", "netns", "add", space)
        run("ip", "link", "add", host, "type", "veth", "peer", "name", "eth0", "netns", space)
        run("ip", "link", "set", host, "up")
        run("ip", "route", "add", f"{address}/32", "dev", host)
        run("ip", "-n", space, "addr", "add", f"{address}/24", "dev", "eth0")
        run("ip", "-n", space, "link", "set", "eth0", "up")
        run("ip", "-n", space, "link", "set", "lo", "up")
        for name, bundle in self.bundles.items():
            begin = time.monotonic()
            run(self.runtime, "--root", self.root, "create", "--bundle", bundle, f"floor{number}-{name}")
            run(self.runtime, "--root", self.root, "start", f"floor{number}-{name}")
            self.container_ms.append((time.monotonic() - begin) * 1000)
        return (time.monotonic() - began) * 1000

    def stop(self, number):
        for name in self.bundles:
            run(self.runtime, "--root", self.root, "delete", "--force", f"floor{number}-{name}")
        run("ip", "netns", "delete", f"floor{number}")

    def measure(self, count):
        took = []
        for number in range(count):
            took.append(self.start(number))
            self.stop(number)
        return took
