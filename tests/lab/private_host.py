# SPDX-License-Identifier: Apache-2.0
"""A host of its own for programs that look into fixed places of the file system, which are scratch here."""
import json
import os
import subprocess

from . import network
from .berth import BUILD

OWN, DEBIAN = os.path.join(BUILD, "bin"), "/usr/lib/cni"
ADDRESS = "192.168.77.1"
SETUP = f"""set -e
mount -t tmpfs berth-private "$1"
mount -t tmpfs berth-private /run
mount -t tmpfs berth-private /opt
for place in etc var/lib; do
    mkdir -p "$1/$place/upper" "$1/$place/work"
    mount -t overlay berth-private -o "lowerdir=/$place,upperdir=$1/$place/upper,workdir=$1/$place/work" "/$place"
done
mkdir -p /run/netns /opt/cni/bin /etc/cni/net.d /var/lib/cni
ln -s {OWN}/ecs-* {OWN}/aws-appmesh {DEBIAN}/* /opt/cni/bin
ip link set lo up
ip link add up0 type veth peer name up1
for link in up0 up1; do
    sysctl -q -w "net.ipv6.conf.$link.disable_ipv6=1"
    ip link set "$link" up
done
ip address add {ADDRESS}/24 dev up0
echo ready
exec cat
"""


class PrivateHost:
    """
    A network and a mount namespace: /etc, /var/lib, /run and /opt take what is written, and lose it at the end. CNI plugins,
    ours and Debian's, are in /opt/cni/bin. Use it as a context; what is left in its network at the end is an error.
    """

    def __init__(self, directory):
        self.scratch = os.path.join(directory, "scratch")
        os.mkdir(self.scratch)
        self.holder = subprocess.Popen(["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", SETUP, "sh",
                                        self.scratch], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        if self.holder.stdout.readline() != b"ready\n":
            raise RuntimeError("a private host could not be made")
        self.before = self.inside(network.everything)
        return self

    def __exit__(self, kind, *_):
        try:
            left = self.inside(lambda: network.left(self.before)) if kind is None else []
        finally:
            self.holder.stdin.close()
            self.holder.stdout.close()
            self.holder.wait()
        if left:
            raise AssertionError("left behind: " + "\n".join(left))

    def inside(self, work):
        return network.inside(f"/proc/{self.holder.pid}/ns/net", work)

    def argv(self, *command):
        return ["nsenter", "--target", str(self.holder.pid), "--net", "--mount", "--", *command]

    def run(self, *command, check=True, **more):
        done = subprocess.run(self.argv(*command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120, **more)
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def json(self, *command):
        return json.loads(self.run(*command).stdout or "[]")

    def write(self, path, text):
        self.run("sh", "-c", 'cat > "$1"', "sh", path, input=text)

    def names(self, directory):
        """All files below, which need not be there."""
        return self.run("find", directory, "-type", "f", check=False).stdout.split()
