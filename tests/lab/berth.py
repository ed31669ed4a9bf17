# SPDX-License-Identifier: Apache-2.0
"""The control plane, agents and the host that they run on, as one object for a test."""
import contextlib
import fcntl
import itertools
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import urllib.request

from . import control_groups, hosts, leaks
from .processes import Daemon, catches, free_port, wait_for
from .services import Containerd, Registry

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("BERTH_BUILD", os.path.join(ROOT, "build", "debug")))
REGION, KEY, SECRET = "us-west-2", "AKIDBERTHTEST", "berth-test-secret"
SANITIZER_EXIT = 99  # what CI sets in ASAN_OPTIONS
# What Berth does by itself, and runs no program for.
TOOLS = ("bash", "brctl", "bridge", "conntrack", "ebtables", "ifconfig", "ip", "ip6tables", "iptables", "nft", "route", "sh",
         "sysctl", "tc")
CREDENTIALS = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": REGION}


def program(name):
    return os.path.join(BUILD, "bin", name)


def sanitized():
    """Whether the build has the sanitizers, which make everything several times slower."""
    try:
        with open(os.path.join(BUILD, "CMakeCache.txt")) as file:
            return "BERTH_SANITIZE:BOOL=ON" in file.read()
    except FileNotFoundError:
        return False


def cluster_of(task_arn):
    return task_arn.split("/")[1]


def environment(**more):
    """The environment of a daemon: nothing of the caller's but what finding programs and the sanitizers need."""
    kept = {name: os.environ[name] for name in ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "HOME")
            if name in os.environ}
    return {**kept, **CREDENTIALS, **more}


class Control:
    """
    berth-control on a port of its own. With `identity` it serves TLS and enrols agents; with `keys` people's calls must be
    signed.
    """

    def __init__(self, directory, subnet="10.99.0.0/24", state="memory", arguments=(), scale=1, listen="127.0.0.1",
                 identity=False, keys=False):
        self.directory, self.port = directory, free_port()
        self.identity = os.path.join(directory, "identity") if identity else None
        self.keys = keys
        self.url = f"{'https' if identity else 'http'}://127.0.0.1:{self.port}"
        self.data = ":memory:" if state == "memory" else os.path.join(directory, "control.db")
        os.makedirs(directory, exist_ok=True)
        argv = [program("berth-control"), "--listen", f"{listen}:{self.port}", "--data", self.data, "--region", REGION,
                "--subnet", f"{subnet},id=subnet-berth", *arguments]
        if scale != 1:
            argv += ["--time-scale", str(scale)]
        if identity:
            argv += ["--identity", self.identity]
        if keys:
            path = os.path.join(directory, "keys")
            with open(path, "w") as file:
                file.write(f"aws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
            argv += ["--keys", path]
        self.daemon = Daemon("berth-control", argv, os.path.join(directory, "control.log"), environment())

    def start(self):
        self.daemon.start()
        wait_for("berth-control", self.answers)
        return self

    def answers(self):
        if not self.daemon.alive():
            raise RuntimeError("berth-control ended: " + self.daemon.text()[-2000:])
        self.call("ListClusters")
        return True

    @property
    def ca(self):
        return os.path.join(self.identity, "ca.pem")

    def tls(self, certificate=None):
        """A context that trusts it; `certificate`: the files of one to show, and of its key. None without identities."""
        if not self.identity:
            return None
        context = ssl.create_default_context(cafile=self.ca)
        if certificate:
            context.load_cert_chain(*certificate)
        return context

    def signed(self, method, url, headers, body=None):
        """The headers with a signature."""
        from botocore import auth, awsrequest, credentials
        request = awsrequest.AWSRequest(method, url, headers, body)
        auth.SigV4Auth(credentials.Credentials(KEY, SECRET), "ecs", REGION).add_auth(request)
        return dict(request.headers)

    def call(self, operation, certificate=None, **members):
        """One API call without the weight of an SDK: as an agent with a certificate, or else as a person."""
        body = json.dumps(members).encode()
        headers = {"X-Amz-Target": f"AmazonEC2ContainerServiceV20141113.{operation}",
                   "Content-Type": "application/x-amz-json-1.1"}
        if self.keys and not certificate:
            headers = self.signed("POST", self.url + "/", headers, body)
        request = urllib.request.Request(self.url, data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=60, context=self.tls(certificate)) as answer:
            return json.loads(answer.read())

    def command(self, *words):
        """`berth-control token ...` and the like; what it prints."""
        done = subprocess.run([program("berth-control"), *words, "--identity", self.identity], env=environment(),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
        return done.stdout.strip()

    def metrics(self, task):
        with urllib.request.urlopen(f"{self.url}/berth/v1/metrics?task={task}", timeout=60) as answer:
            return json.loads(answer.read())

    def boto(self, service="ecs"):
        import boto3
        from botocore.config import Config
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, aws_access_key_id=KEY,
                            aws_secret_access_key=SECRET, verify=self.ca if self.identity else None, config=Config(retries={"max_attempts": 1}))

    def aws(self, *arguments):
        """`aws ecs ...` as a person types it; returns the decoded answer. Debian's aws, not one found first in PATH."""
        argv = ["/usr/bin/aws", "--endpoint-url", self.url, "ecs", *arguments]
        done = subprocess.run(argv, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=60)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip()}")
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def stop(self):
        return self.daemon.stop()


class Agent:
    """berth-agent with directories of its own."""

    def __init__(self, lab, name=None, host=None, **settings):
        self.lab, self.host, self.number = lab, host, next(lab.numbers)
        self.name = name or f"agent{self.number}"
        self.directory = os.path.join(lab.directory, self.name)
        self.data, self.run = os.path.join(self.directory, "data"), os.path.join(self.directory, "run")
        for directory in (self.data, self.run):
            os.makedirs(directory, exist_ok=True)
        self.introspection = free_port()
        self.settings = dict(ECS_CLUSTER="default", ECS_BACKEND_HOST=lab.control.url, ECS_DATADIR=self.data,
                             ECS_LOGLEVEL="debug", BERTH_RUN_DIR=self.run, BERTH_LIBEXEC_DIR=os.path.join(BUILD, "bin"),
                             BERTH_CONTAINERD_ADDRESS=lab.containerd.address, BERTH_CONTAINERD_NAMESPACE="berth",
                             BERTH_INTROSPECTION_PORT=str(self.introspection), BERTH_METADATA_PORT=str(free_port()),
                             BERTH_CGROUP_PARENT=lab.cgroup, ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION="1s",
                             BERTH_BRIDGE=f"berth{self.number}", BERTH_BRIDGE_SUBNET=f"172.29.{self.number}.0/24",
                             ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION_JITTER="0s")
        if host:
            # Registries on loopback are another's there: images are brought in before.
            self.settings.update(ECS_BACKEND_HOST=f"http://{hosts.GATEWAY}:{lab.control.port}",
                                 BERTH_NETWORK_ADDRESS=host.address, BERTH_INTROSPECTION_ADDRESS=host.address,
                                 ECS_IMAGE_PULL_BEHAVIOR="prefer-cached", BERTH_CGROUP_PARENT=f"{lab.cgroup}/{host.name}")
        if lab.control.identity and "BERTH_ENROLL_TOKEN" not in settings:
            # It has no keys: it is enrolled when it starts for the first time.
            self.settings.update(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="",
                                 BERTH_ENROLL_TOKEN=lab.control.command("token", "create"))
        self.settings.update({key: str(value) for key, value in settings.items() if value is not None})
        self.cluster, self.cgroup = self.settings["ECS_CLUSTER"], self.settings["BERTH_CGROUP_PARENT"]
        argv = [*(host.enter() if host else []), program("berth-agent")]
        self.daemon = Daemon("berth-agent", argv, os.path.join(self.directory, "agent.log"),
                             environment(**self.settings))
        # Plugins of others may need what ours do not.
        if "ECS_CNI_PLUGINS_PATH" not in self.settings:
            self.daemon.env["PATH"] = f"{lab.decoys.directory}:{self.daemon.env['PATH']}"

    def start(self, wait=True):
        self.daemon.start()
        if wait:
            wait_for("the agent to be connected", self.connected)
        return self

    def connected(self):
        if not self.daemon.alive():
            raise RuntimeError("berth-agent ended: " + self.daemon.text()[-3000:])
        own = self.metadata()["ContainerInstanceArn"]
        return any(instance["agentConnected"] for instance in self.lab.instances(self.cluster)
                   if instance["containerInstanceArn"] == own)

    def introspect(self, path):
        address = self.host.address if self.host else "127.0.0.1"
        with urllib.request.urlopen(f"http://{address}:{self.introspection}{path}", timeout=30) as answer:
            return json.loads(answer.read())

    def metadata(self):
        return self.introspect("/v1/metadata")

    def process(self, task_arn, container="app"):
        """A container's first process, as the host sees it: the oldest of its group. None: it has none."""
        with contextlib.suppress(OSError):
            return control_groups.first_process(f"{self.cgroup}/{task_arn.split('/')[-1]}/{container}")
        return None

    def kill(self):
        return self.daemon.kill(signal.SIGKILL)

    def stop(self):
        return self.daemon.stop()


class Decoys:
    """Programs named as the TOOLS, which note that they were called, and fail."""

    def __init__(self, directory):
        self.directory, self.log = directory, os.path.join(directory, "log")
        os.mkdir(directory)
        for name in TOOLS:
            path = os.path.join(directory, name)
            with open(path, "w") as file:
                file.write(f'#!/bin/sh\necho "{name} $*" >>{self.log}\nexit 1\n')
            os.chmod(path, 0o755)

    def called(self):
        with contextlib.suppress(FileNotFoundError), open(self.log) as file:
            return file.read().splitlines()
        return []


class Turn:
    """
    Labs of one network have the same addresses and look at the same interfaces: one at a time, whoever runs them. Tests that
    run side by side have a network each (see tests/conftest.py).
    """

    def __init__(self):
        # The namespace itself is locked: no file stays. Whoever asks again and again would hardly get it from a suite that
        # comes back with each test: a thread stands in the kernel's queue.
        self.descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        queue = threading.Thread(target=fcntl.flock, args=(self.descriptor, fcntl.LOCK_EX), daemon=True)
        queue.start()
        queue.join(1200)
        if queue.is_alive():
            raise TimeoutError("another lab on this network has not ended within 1200 s")

    def end(self):
        os.close(self.descriptor)


class Lab:
    """
    One private host. Use it as a context; at the end everything is stopped, and what is left is an error. So is that an agent
    has run a tool for what it does by itself.
    """

    def __init__(self, keep=False, subnet="10.99.0.0/24", state="memory", control_arguments=(), scale=1,
                 containerd_size=None, host_count=0, host_mtu=1500, identity=False, keys=False):
        self.turn = Turn()
        self.directory = tempfile.mkdtemp(prefix="berth-lab-")
        self.cgroup = "/" + os.path.basename(self.directory)
        self.keep = keep
        self.hosts = [hosts.Host(number + 1, host_mtu) for number in range(host_count)]
        self.parts = [hosts.Wire(), *self.hosts] if host_count else []
        self.agents = []
        self.numbers = itertools.count()  # of agents; several threads may make them
        self.decoys = Decoys(os.path.join(self.directory, "decoys"))
        self.before = set()
        self.containerd = Containerd(os.path.join(self.directory, "containerd"), containerd_size)
        self.registry = Registry(os.path.join(self.directory, "registry"))
        self.control = Control(os.path.join(self.directory, "control"), subnet, state, control_arguments, scale,
                               "0.0.0.0" if host_count else "127.0.0.1", identity, keys)
        self.breaks_off_pulls = False  # the test has some run out of time
        self._ecs = None

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise

    def __exit__(self, kind, value, trace):
        try:
            self.close(check=kind is None)
            if kind is None and not self.keep:
                shutil.rmtree(self.directory)  # what is still mounted or written there is an error
        finally:
            if kind is not None:
                self.report()
            if not self.keep:
                shutil.rmtree(self.directory, ignore_errors=True)
            for part in reversed(self.parts):
                part.close()
            self.turn.end()

    def start(self):
        for part in self.parts:
            part.start()
        self.before = leaks.snapshot(self)
        self.containerd.start()
        self.registry.start()
        self.control.start()
        return self

    @property
    def ecs(self):
        self._ecs = self._ecs or self.control.boto()
        return self._ecs

    def agent(self, name=None, host=None, **settings):
        """On a `host` of its own (host_count=...), or in the network of the test."""
        agent = Agent(self, name, host, **settings)
        self.agents.append(agent)
        return agent

    def instances(self, cluster="default"):
        arns = self.control.call("ListContainerInstances", cluster=cluster)["containerInstanceArns"]
        if not arns:
            return []
        return self.control.call("DescribeContainerInstances", cluster=cluster,
                                 containerInstances=arns)["containerInstances"]

    def define(self, family, containers, mode="awsvpc", **more):
        """Registers a task definition and returns `family:revision`. A container may leave out what is usual."""
        containers = [dict({"name": "app", "essential": True, "memory": 64, "cpu": 10}, **container)
                      for container in containers]
        answer = self.control.call("RegisterTaskDefinition", family=family, networkMode=mode,
                                   containerDefinitions=containers, **more)
        definition = answer["taskDefinition"]
        return f"{definition['family']}:{definition['revision']}"

    def run(self, definition, count=1, awsvpc=True, cluster="default", **more):
        """RunTask; returns the ARNs. Failures are an error."""
        if awsvpc:
            more.setdefault("networkConfiguration", {"awsvpcConfiguration": {"subnets": ["subnet-berth"]}})
        tasks, failures = [], []
        while count > 0:
            answer = self.control.call("RunTask", cluster=cluster, taskDefinition=definition, count=min(count, 10),
                                       **more)
            tasks += [task["taskArn"] for task in answer["tasks"]]
            failures += answer["failures"]
            count -= 10
        if failures:
            raise RuntimeError(f"RunTask: {failures}")
        return tasks

    def describe(self, *arns):
        """Tasks of one cluster."""
        tasks = []
        for start in range(0, len(arns), 100):
            tasks += self.control.call("DescribeTasks", cluster=cluster_of(arns[0]),
                                       tasks=list(arns[start:start + 100]))["tasks"]
        return tasks

    def task(self, arn):
        return self.describe(arn)[0]

    def main_pid(self, arn, name="app"):
        return next(filter(None, (agent.process(arn, name) for agent in self.agents)), None)

    def wait_ready(self, arn, name="app"):
        """RUNNING, and the container's first process handles SIGTERM: until then it would not hear of a stop."""
        task = self.wait_status(arn, "RUNNING")
        wait_for(f"{name} of {arn} to handle SIGTERM", lambda: catches(self.main_pid(arn, name)))
        return task

    def wait_status(self, arn, status, seconds=60):
        def check():
            task = self.task(arn)
            if task["lastStatus"] == "STOPPED" and status != "STOPPED":
                raise RuntimeError(f"the task stopped: {json.dumps(task, indent=1, default=str)}")
            return task["lastStatus"] == status and task
        try:
            return wait_for(f"{arn} to be {status}", check, seconds)
        except TimeoutError:
            print(json.dumps(self.task(arn), indent=1, default=str), file=sys.stderr)
            raise

    def stop_task(self, arn, reason="a test asks for it"):
        return self.control.call("StopTask", cluster=cluster_of(arn), task=arn, reason=reason)

    def close(self, check=True):
        """Stops every task through the control plane, then the daemons; then nothing may be left."""
        problems = []
        try:
            if self.control.daemon.alive() and any(agent.daemon.alive() for agent in self.agents):
                arns = [arn for cluster in sorted({agent.cluster for agent in self.agents if agent.daemon.alive()})
                        for arn in self.control.call("ListTasks", cluster=cluster)["taskArns"]]
                for arn in arns:
                    self.stop_task(arn)
                for arn in arns:
                    self.wait_status(arn, "STOPPED")
                if check:
                    for agent in self.agents:
                        if agent.daemon.alive():
                            wait_for("the agent to clean up its tasks",
                                     lambda agent=agent: not agent.introspect("/v1/tasks")["Tasks"])
        except Exception as error:
            problems.append(f"stopping the tasks: {error!r}")
        for agent in self.agents:
            problems += self.end(agent.daemon, getattr(agent, "may_fail", False))
        problems += self.end(self.control.daemon)
        problems += [f"the agent has run: {line}" for line in self.decoys.called()]
        left = []
        if check and self.containerd.daemon.alive():
            broken_off = self.breaks_off_pulls or any(agent.daemon.lives > 1 for agent in self.agents)
            left += leaks.in_containerd(self.containerd.address, broken_off)
        for daemon in (self.registry, self.containerd):
            with contextlib.suppress(Exception):
                daemon.stop()
        left += leaks.difference(self.before, lambda: leaks.snapshot(self), 30) if check else []
        leaks.remove_bridges()
        # The parent of the tasks' control groups is the agent's for good: it only has to be empty.
        left += [f"control group {path} is in use" for path in leaks.sweep(self)]
        if check and (problems or left):
            self.report()
            raise AssertionError("\n".join(problems + [f"left behind: {item}" for item in left]))

    @staticmethod
    def end(daemon, may_fail=False):
        """Stops a daemon of ours: it must end well, unless a test has killed it. With 99 a sanitizer says what it found."""
        try:
            code = daemon.stop()
        except RuntimeError as error:
            return [str(error)]
        well = code in (0, None, -signal.SIGKILL) or (may_fail and code != SANITIZER_EXIT)
        return [] if well else [f"{daemon.name} ended with {code}: {daemon.text()[-3000:]}"]

    def report(self):
        """What a failed test needs to be understood."""
        for daemon in [self.control.daemon, *(agent.daemon for agent in self.agents)]:
            print(f"--- {daemon.name}: {daemon.log}\n{daemon.text()[-30000:]}", file=sys.stderr)


def lab_main():
    """`python3 -m tests.lab`: a lab to play with until Enter is pressed."""
    with Lab() as lab:
        lab.agent().start()
        print(f"aws --endpoint-url {lab.control.url} ecs list-container-instances\nregistry: {lab.registry.host}")
        input("Enter ends it\n")


__all__ = ["Lab", "Agent", "Control", "Containerd", "Registry", "wait_for", "free_port", "program"]
