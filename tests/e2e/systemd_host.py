# SPDX-License-Identifier: Apache-2.0
"""A machine that boots with systemd as its first process: a container of runc on an overlay of this host's own root."""
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time

from tests.lab import control_groups, leaks
from tests.lab.berth import CREDENTIALS, REGION, ROOT, program
from tests.lab.processes import birth, wait_for

SYSTEMD = "/lib/systemd/systemd"
UNITS = os.path.join(ROOT, "systemd")
CONTROL, REGISTRY = "http://127.0.0.1:8000", "127.0.0.1:5000"
CAPABILITIES = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN "
    "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP").split()
# What could harm the machine that it runs on.
WITHHELD = {"SYS_MODULE", "SYS_RAWIO", "SYS_BOOT", "SYS_TIME"}
# The units that are there beside those of Debian. Of Debian's, nothing is wanted by itself: a container must not set the
# clock, load modules or write the sysctls of the machine that it runs on.
TEST_TARGET = "[Unit]\nDescription=A machine to test on\nRequires=basic.target\nAfter=basic.target\nAllowIsolate=yes\n"
REGISTRY_CONFIG = ("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
                   "storage: {filesystem: {rootdirectory: /var/lib/containerd/registry}}\n"
                   f"http:\n  addr: {REGISTRY}\n")


class CannotBoot(Exception):
    """What the kernel, or this machine's rights to it, would not give."""


def programs():
    """Where `cmake --install` puts what was built."""
    for name in ("berth-agent", "berth-control", "berth-init", "berth"):
        yield program(name), f"usr/sbin/{name}"
    for name in ("aws-appmesh", "ecs-branch-eni", "ecs-bridge", "ecs-eni", "ecs-ipam", "ecs-portmap", "ecs-serviceconnect",
                 "ecs-tunnel", "vpc-branch-eni", "vpc-eni", "vpc-tunnel", "berth-monitor", "berth-pause"):
        yield program(name), f"usr/libexec/berth/{name}"


def own_capabilities():
    """What this process may hand on: a container may lack some of root's."""
    with open("/proc/self/status") as file:
        bounding = next(int(line.split()[1], 16) for line in file if line.startswith("CapBnd:"))
    return [f"CAP_{name}" for bit, name in enumerate(CAPABILITIES) if bounding >> bit & 1 and name not in WITHHELD]


class SystemdHost:
    def __init__(self, settings=None):
        self.directory = tempfile.mkdtemp(prefix="berth-systemd-")
        self.name = os.path.basename(self.directory)
        self.root, self.memory = os.path.join(self.directory, "root"), os.path.join(self.directory, "memory")
        self.pid = None
        self.settings = dict({
            "ECS_CLUSTER": "default", "ECS_BACKEND_HOST": CONTROL, "ECS_LOGLEVEL": "debug",
            "ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION": "2s", "ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION_JITTER": "0s",
        }, **CREDENTIALS, **(settings or {}))

    # ---- life

    def start(self):
        try:
            self._mount()
            self._install()
            self._configure()
            self._runc("run", "--detach", "--bundle", self.directory, self.name)
            self.pid = json.loads(self._runc("state", self.name))["pid"]
            wait_for("systemd", lambda: self.run("systemctl", "is-system-running", check=False).strip()
                     in ("running", "degraded"), 120, 0.05)
        except subprocess.CalledProcessError as error:
            self.close()
            if any(words in error.stderr for words in ("not permitted", "not supported", "No such device")):
                raise CannotBoot(f"a container with systemd as its first process: {error.stderr.strip()[-2000:]}") from error
            raise AssertionError(error.stderr) from error
        except TimeoutError as error:
            text = self.log()
            self.close()
            raise AssertionError(f"{error}\n{text}") from error
        return self

    def close(self):
        subprocess.run(["runc", "--root", f"{self.directory}/runc", "delete", "--force", self.name],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for where in (self.root, self.memory):
            subprocess.run(["umount", "-l", where], stderr=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while self._remove_cgroups() and time.monotonic() < end:
            time.sleep(0.05)
        shutil.rmtree(self.directory, ignore_errors=True)
        assert not os.path.exists(self.directory) and not self._remove_cgroups()

    def _remove_cgroups(self):
        for top in self._cgroups("/"):
            for path, _, _ in os.walk(top, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(path)
        return self._cgroups("/")

    def _mount(self):
        """Lower: this host's root, never written. Upper: memory."""
        os.mkdir(self.root)
        os.mkdir(self.memory)
        self._do("mount", "-t", "tmpfs", "tmpfs", self.memory)
        for name in ("upper", "work"):
            os.mkdir(os.path.join(self.memory, name))
        self._do("mount", "-t", "overlay", "overlay", "-o",
                 f"lowerdir=/,upperdir={self.memory}/upper,workdir={self.memory}/work", self.root)

    def _install(self):
        for built, path in programs():
            where = os.path.join(self.root, path)
            os.makedirs(os.path.dirname(where), exist_ok=True)
            shutil.copy(built, where)
        self.write("etc/ecs/ecs.config", "".join(f"{name}={value}\n" for name, value in self.settings.items()))
        self.write("etc/fstab", "")
        self.write("etc/registry.yml", REGISTRY_CONFIG)
        units = os.path.join(self.directory, "units")
        shutil.copytree(UNITS, units)
        os.mkdir(os.path.join(units, "sysinit.target.wants"))
        os.symlink("/lib/systemd/system/systemd-journald.service",
                   os.path.join(units, "sysinit.target.wants", "systemd-journald.service"))
        with open(os.path.join(units, "test.target"), "w") as file:
            file.write(TEST_TARGET)

    def write(self, path, text):
        where = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(where), exist_ok=True)
        with open(where, "w") as file:
            file.write(text)

    def _configure(self):
        capabilities = own_capabilities()

        def memory(where):
            return {"destination": where, "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]}

        config = {
            "ociVersion": "1.0.2", "hostname": "berth-test", "root": {"path": self.root},
            "process": {"args": [SYSTEMD, "--unit=test.target"], "cwd": "/", "user": {"uid": 0, "gid": 0},
                        "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "container=oci"],
                        "capabilities": {kind: capabilities for kind in ("bounding", "effective", "permitted")}},
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
                {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance"]},
                {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["mode=1777"]},
                {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue"},
                {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"]},
                {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["rw"]},
                memory("/run"), memory("/tmp"), memory("/var/log"), memory("/var/lib/ecs"), memory("/var/lib/containerd"),
                memory("/lib/systemd/system/sysinit.target.wants"),
                {"destination": "/etc/systemd/system", "type": "bind", "source": f"{self.directory}/units",
                 "options": ["bind"]}],
            "linux": {"cgroupsPath": f"/{self.name}", "resources": {"devices": [{"allow": True, "access": "rwm"}]},
                      "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount", "cgroup")],
                      "readonlyPaths": ["/proc/sys/kernel", "/proc/sys/fs", "/proc/sys/vm", "/proc/sysrq-trigger"]}}
        with open(os.path.join(self.directory, "config.json"), "w") as file:
            json.dump(config, file)

    @staticmethod
    def _do(*argv):
        # Not through a pipe: what runs on in the container would hold it open.
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=errors, timeout=60)
            out.seek(0)
            errors.seek(0)
            if done.returncode != 0:
                raise subprocess.CalledProcessError(done.returncode, argv, stderr=f"{argv[0]}: {errors.read()}")
            return out.read()

    def _runc(self, *arguments):
        return self._do("runc", "--root", f"{self.directory}/runc", *arguments)

    # ---- what runs in it

    def run(self, *argv, check=True):
        """A command in all of its namespaces; its output."""
        done = subprocess.run(["nsenter", "-t", str(self.pid), "-a", *argv], stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(argv)}: {done.returncode}: {done.stdout}\n{self.log()}")
        return done.stdout

    def systemctl(self, *arguments, check=True):
        return self.run("systemctl", *arguments, check=check)

    def show(self, name, unit="berth.service"):
        return self.systemctl("show", "-P", name, unit).strip()

    def log(self):
        return self.run("journalctl", "--no-pager", "-n", "150", "-o", "short-precise", check=False)

    def pids(self, name):
        return [int(pid) for pid in self.run("pgrep", "-x", name, check=False).split()]

    def lab(self):
        """A control plane, a registry and an image: services of the machine, beside Debian's containerd."""
        self.run("systemd-run", "--quiet", "--unit=registry", "docker-registry", "serve", "/etc/registry.yml")
        self.run("systemd-run", "--quiet", "--unit=control", "berth-control", "--listen", CONTROL.split("//")[1], "--data",
                 ":memory:", "--region", REGION, "--subnet", "10.99.0.0/24,id=subnet-berth")
        wait_for("berth-control", lambda: "clusterArns" in self.call("ListClusters"))
        push = f"from tests.lab.images import Client; Client('http://{REGISTRY}').push('web', '1')"
        wait_for("the image", lambda: subprocess.run(["nsenter", "-t", str(self.pid), "-n", "/usr/bin/python3", "-B", "-c",
                                                      push], cwd=ROOT, stderr=subprocess.DEVNULL).returncode == 0, every=0.1)
        return f"{REGISTRY}/web:1"

    def call(self, operation, **members):
        answer = subprocess.run(
            ["nsenter", "-t", str(self.pid), "-n", "curl", "-s", "--noproxy", "*", "--max-time", "10", CONTROL,
             "-H", f"X-Amz-Target: AmazonEC2ContainerServiceV20141113.{operation}",
             "-H", "Content-Type: application/x-amz-json-1.1", "--data-binary", json.dumps(members)],
            stdout=subprocess.PIPE, text=True)
        return json.loads(answer.stdout)

    def connected(self):
        arns = self.call("ListContainerInstances", cluster="default")["containerInstanceArns"]
        found = arns and self.call("DescribeContainerInstances", cluster="default",
                                   containerInstances=arns)["containerInstances"]
        return bool(found) and found[0]["agentConnected"]

    def run_task(self, image, command):
        self.call("RegisterTaskDefinition", family="web", networkMode="awsvpc", containerDefinitions=[
            {"name": "app", "image": image, "essential": True, "memory": 32, "command": command}])
        answer = self.call("RunTask", cluster="default", taskDefinition="web", networkConfiguration={
            "awsvpcConfiguration": {"subnets": ["subnet-berth"]}})
        assert answer["tasks"], answer
        return answer["tasks"][0]["taskArn"]

    def task(self, arn):
        return self.call("DescribeTasks", cluster="default", tasks=[arn])["tasks"][0]

    def wait_status(self, arn, status, seconds=60):
        def check():
            task = self.task(arn)
            return task["lastStatus"] == status and task
        try:
            return wait_for(f"the task to be {status}", check, seconds, 0.05)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self.task(arn)}\n{self.log()}") from error

    def _cgroups(self, path):
        """The directories of one control group, given by its path in the machine."""
        return control_groups.directories(f"/{self.name}{path}".rstrip("/"))

    def processes(self, arn, container="app"):
        """The processes of a container as this host sees them: {pid: when it began}."""
        found = {}
        with contextlib.suppress(FileNotFoundError):
            for pid in control_groups.processes(f"/{self.name}/ecs/{arn.split('/')[-1]}/{container}"):
                with contextlib.suppress(OSError):
                    found[pid] = birth(pid)
        return found

    def left_of_tasks(self):
        """All that tasks had on the machine."""
        mounts = [line.split()[1] for line in self.run("cat", "/proc/mounts").splitlines()]
        links = json.loads(self.run("ip", "-j", "link"))
        return ([f"cgroup {path}" for path in self._cgroups("/ecs/*")] +
                [f"mount {where}" for where in mounts if where.startswith(("/var/lib/ecs/data/tasks/", "/run/berth/netns/"))] +
                [f"interface {link['ifname']}" for link in links if leaks.INTERFACE.fullmatch(link["ifname"])] +
                [f"file {path}" for path in self.run("sh", "-c", "ls -d /var/lib/ecs/data/tasks/* /run/berth/netns/* "
                                                     "2>/dev/null", check=False).split()] +
                [f"process {name} {pid}" for name in ("berth-monitor", "berth-pause") for pid in self.pids(name)])
