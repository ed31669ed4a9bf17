# SPDX-License-Identifier: Apache-2.0
"""
What `cnitool` does, written from the specification and from what libcni is seen to do: Debian has no package of it. With
BERTH_CNITOOL=/path/to/one that program is run in its place, for all that it knows (add, check, del).
"""
import base64
import hashlib
import json
import os

VERSIONS = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]
PATH = "/opt/cni/bin"
NETWORKS, CACHE = "/etc/cni/net.d", "/var/lib/cni/results"


class Refused(Exception):
    """What a plugin said: the error object."""


class Cnitool:
    """On a PrivateHost. One namespace, by its path, is one container."""

    def __init__(self, host):
        self.host, self.program = host, os.environ.get("BERTH_CNITOOL")

    # ---- what the program is told ----

    @staticmethod
    def container(netns):
        return "cnitool-" + hashlib.sha512(netns.encode()).digest()[:10].hex()

    def network(self, name):
        for path in sorted(self.host.names(NETWORKS)):
            found = json.loads(self.host.run("cat", path).stdout)
            if path.endswith(".conflist") and found["name"] == name:
                return found
        raise FileNotFoundError(name)

    @staticmethod
    def version(network):
        offered = {network.get("cniVersion", "0.1.0"), *network.get("cniVersions", [])}
        return max((version for version in offered if version in VERSIONS), key=VERSIONS.index)

    def _program(self, command, name, netns, capabilities):
        done = self.host.run("env", f"CNI_PATH={PATH}", f"NETCONFPATH={NETWORKS}", f"CAP_ARGS={json.dumps(capabilities)}",
                             self.program, command, name, netns, check=False)
        if done.returncode:
            raise Refused(done.stderr)
        return json.loads(done.stdout) if command == "add" else None

    # ---- one plugin ----

    def _plugin(self, command, network, plugin, variables, **more):
        config = {**plugin, "name": network["name"], "cniVersion": self.version(network), **more}
        environment = {"CNI_COMMAND": command, "CNI_PATH": PATH, **variables}
        # Not stripped of what was for the runtime, and with its keys in order: as libcni marshals it.
        done = self.host.run("env", "-i", *(f"{name}={value}" for name, value in environment.items()),
                             f"{PATH}/{plugin['type']}", input=json.dumps(config, sort_keys=True), check=False)
        if done.returncode:
            raise Refused(json.loads(done.stdout) if done.stdout else f"netplugin failed: {done.stderr!r}: {done.returncode}")
        return done.stdout

    def _of_container(self, command, network, plugin, netns, ifname, capabilities, previous):
        more = {} if previous is None else {"prevResult": previous}
        wanted = {name: value for name, value in capabilities.items() if plugin.get("capabilities", {}).get(name)}
        if wanted:
            more["runtimeConfig"] = wanted
        return self._plugin(command, network, plugin, {
            "CNI_CONTAINERID": self.container(netns), "CNI_NETNS": netns, "CNI_IFNAME": ifname}, **more)

    # ---- the cache ----

    def _record(self, name, netns, ifname):
        return f"{CACHE}/{name}-{self.container(netns)}-{ifname}"

    def _cached(self, name, netns, ifname="eth0"):
        done = self.host.run("cat", self._record(name, netns, ifname), check=False)
        return json.loads(done.stdout)["result"] if done.returncode == 0 else None

    def _keep(self, network, netns, ifname, capabilities, result):
        record = {"kind": "cniCacheV1", "containerId": self.container(netns), "ifName": ifname, "networkName": network["name"],
                  "config": base64.b64encode(json.dumps(network).encode()).decode(), "netns": netns,
                  "capabilityArgs": capabilities, "result": result}
        self.host.run("mkdir", "-p", CACHE)
        self.host.write(self._record(network["name"], netns, ifname), json.dumps(record))

    # ---- the commands ----

    def add(self, name, netns, ifname="eth0", **capabilities):
        if self.program and ifname == "eth0":
            return self._program("add", name, netns, capabilities)
        network, result = self.network(name), None
        for plugin in network["plugins"]:
            result = json.loads(self._of_container("ADD", network, plugin, netns, ifname, capabilities, result))
        self._keep(network, netns, ifname, capabilities, result)
        return result

    def check(self, name, netns, ifname="eth0", **capabilities):
        if self.program and ifname == "eth0":
            return self._program("check", name, netns, capabilities)
        network = self.network(name)
        if not network.get("disableCheck"):
            for plugin in network["plugins"]:
                said = self._of_container("CHECK", network, plugin, netns, ifname, capabilities, self._cached(name, netns, ifname))
                assert said == "", said
        return None

    def delete(self, name, netns, ifname="eth0", **capabilities):
        if self.program and ifname == "eth0":
            return self._program("del", name, netns, capabilities)
        network = self.network(name)
        old = VERSIONS.index(self.version(network)) < VERSIONS.index("0.4.0")
        previous = None if old else self._cached(name, netns, ifname)
        for plugin in reversed(network["plugins"]):
            self._of_container("DEL", network, plugin, netns, ifname, capabilities, previous)
        self.host.run("rm", "-f", self._record(name, netns, ifname))
        return None

    def status(self, name):
        network = self.network(name)
        for plugin in network["plugins"]:
            self._plugin("STATUS", network, plugin, {})

    def collect(self, name, valid):
        """GC: `valid` are namespaces whose eth0 stays."""
        network = self.network(name)
        if network.get("disableGC"):
            return
        listed = [{"containerID": self.container(netns), "ifname": "eth0"} for netns in valid]
        for path in self.host.names(CACHE):
            record = json.loads(self.host.run("cat", path).stdout)
            if record["networkName"] == name and {"containerID": record["containerId"], "ifname": record["ifName"]} not in listed:
                self.delete(name, record["netns"], record["ifName"])
        for plugin in network["plugins"]:
            said = self._plugin("GC", network, plugin, {},
                                **{"cni.dev/valid-attachments": listed, "cni.dev/attachments": listed})
            assert said == "", said
