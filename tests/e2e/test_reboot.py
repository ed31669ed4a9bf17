# SPDX-License-Identifier: Apache-2.0
"""The host starts anew, with a run directory that is on a disk: what tasks had is void, and everything begins again."""
import contextlib
import glob
import ipaddress
import json
import os
import signal
import subprocess

from tests.e2e.test_first_task import FOREVER
from tests.lab import control_groups, leaks
from tests.lab.berth import wait_for

EARLIER = "00000000-0000-4000-8000-000000000000"


def processes_of_tasks(lab, agent):
    found = set(leaks.processes_of(agent.directory))
    for parent in control_groups.directories(lab.cgroup):
        for path, _, _ in os.walk(parent):
            with open(os.path.join(path, "cgroup.procs")) as file:
                found |= {int(pid) for pid in file.read().split()}
    return found


def power_off(lab, agent):
    """All that a reboot ends; what stands on the disk is of an earlier boot from here on."""
    agent.kill()
    with open("/proc/sys/kernel/random/boot_id") as file:
        now = file.read().strip()
    for pid in processes_of_tasks(lab, agent):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for("all processes to have ended", lambda: not processes_of_tasks(lab, agent))
    for where in reversed(leaks.mounts(agent.directory)):
        subprocess.run(["umount", "-l", where], check=True)
    for parent in control_groups.directories(lab.cgroup):
        for path, _, _ in os.walk(parent, topdown=False):
            os.rmdir(path)
    wait_for("their links to have gone", lambda: not [item for item in leaks.snapshot(lab) - lab.before if "interface" in item])
    leaks.remove_bridges()
    for table in [line.split() for line in subprocess.run(["nft", "list", "tables"], stdout=subprocess.PIPE, text=True,
                                                          check=True).stdout.splitlines() if "berth-" in line]:
        subprocess.run(["nft", "delete", *table], check=True)
    changed = 0
    for path in glob.glob(f"{agent.directory}/**", recursive=True):
        if os.path.isfile(path) and os.path.getsize(path) < 1 << 20 and not path.endswith((".log", ".db", "-wal", "-shm")):
            with open(path, "rb") as file:
                data = file.read()
            if now.encode() in data:
                changed += 1
                with open(path, "wb") as file:
                    file.write(data.replace(now.encode(), EARLIER.encode()))
    assert changed >= 2  # leases, and what the monitors wrote


def leases(agent):
    return glob.glob(f"{agent.run}/ipam/*/leases/*")


def lease_of_nobody(lease):
    """A lease beside this one, at the address after it, of a container that there is none of."""
    pool, address = os.path.dirname(os.path.dirname(lease)), ipaddress.ip_address(os.path.basename(lease)) + 1
    with open(lease) as file:
        copy = json.load(file)
    owner, = glob.glob(f"{pool}/owners/*")
    copy.update(owner=copy["owner"].replace(copy["containerID"], "of-nobody"), containerID="of-nobody")
    for path, text in ((f"{pool}/leases/{address}", json.dumps(copy)), (f"{pool}/last.4", str(address)),
                       (owner.replace(os.path.basename(owner), "of-nobody%2Feth0.4"), str(address))):
        with open(path, "w") as file:
            file.write(text)
    return f"{pool}/leases/{address}"


def test_what_tasks_had_before_a_reboot_is_void(lab):
    """net-T38: IPAM is empty, and the directory of namespaces is cleaned."""
    image = lab.registry.image("web")
    definitions = {mode: lab.define(f"boot-{mode}", [dict({"image": image, "command": FOREVER}, **more)], mode=mode)
                   for mode, more in (("awsvpc", {}), ("bridge", {"portMappings": [{"containerPort": 80}]}))}
    agent = lab.agent().start()
    before = [lab.run(definition, awsvpc=mode == "awsvpc")[0] for mode, definition in definitions.items()]
    for arn in before:
        lab.wait_ready(arn)
    address, = leases(agent)
    power_off(lab, agent)
    assert len(os.listdir(f"{agent.run}/netns")) == 2 and leases(agent) == [address]
    with open(f"{agent.run}/netns/of-nobody", "w"):
        pass
    # No task's DEL would give this one back.
    of_nobody = lease_of_nobody(address)
    agent.start()
    for arn in before:
        task = lab.wait_status(arn, "STOPPED")
        assert task["stopCode"] == "EssentialContainerExited", task
    wait_for("the agent to clean up", lambda: not agent.introspect("/v1/tasks")["Tasks"])
    wait_for("the namespaces to be cleaned", lambda: not os.listdir(f"{agent.run}/netns"))
    after = [lab.run(definition, awsvpc=mode == "awsvpc")[0] for mode, definition in definitions.items()]
    for arn in after:
        lab.wait_ready(arn)
    # The pool begins again, with its first address and not with the one after the last: what was leased before the reboot is
    # nobody's.
    assert os.path.basename(address) == "172.29.0.2" and os.path.basename(of_nobody) == "172.29.0.3"
    assert leases(agent) == [address]
