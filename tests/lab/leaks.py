# SPDX-License-Identifier: Apache-2.0
"""What a host holds that Berth could have left there: the end of every end-to-end test."""
import contextlib
import glob
import json
import os
import re
import signal
import sqlite3
import subprocess
import time

from . import control_groups

# What the agent and its plugins name interfaces (eni_host_name()); "veth..." are another's.
INTERFACE = re.compile(r"ve[0-9a-f]{8}|vx[0-9]+|berth.*|ecs-bridge")
PROTOCOL = "236"  # of routes to other hosts, and of the rules that say which links have a table of their own
BRIDGE = re.compile(r"berth[0-9]+|ecs-bridge")
BRIDGE_TABLES = tuple(f"{family} berth-{name}" for family in ("ip", "ip6", "inet") for name in ("bridge", "portmap"))
PIN = "berth-hold-"  # the snapshots that hold the layers of images, which stay


def _run(*argv):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return done.stdout if done.returncode == 0 else ""


def _processes(directory, task_id=""):
    """Processes that name the lab's directory, and the task, in their arguments, environment or control group."""
    found = {}
    for path in glob.glob("/proc/[0-9]*"):
        with contextlib.suppress(OSError):
            pid = int(os.path.basename(path))
            if pid == os.getpid():
                continue
            with open(f"{path}/cmdline", "rb") as file:
                arguments = file.read().replace(b"\0", b" ").decode(errors="replace")
            with open(f"{path}/environ", "rb") as file:
                names = file.read()
            with open(f"{path}/cgroup") as file:
                groups = file.read()
            if (directory in arguments or directory.encode() in names or "/" + os.path.basename(directory) in groups) \
                    and "pytest" not in arguments and (task_id in arguments or task_id in groups):
                found[pid] = f"process {pid}: {arguments[:200]}"
    return found


def processes_of(directory):
    """Their pids."""
    return list(_processes(directory))


def processes(directory):
    return sorted(_processes(directory).values())


def cgroups(parent):
    return control_groups.directories(parent + "/*")


def mounts(directory):
    with open("/proc/self/mounts") as file:
        return [line.split()[1] for line in file if directory in line.split()[1]]


def _is_bridge(link):
    return BRIDGE.fullmatch(link["ifname"]) and link.get("linkinfo", {}).get("info_kind") == "bridge"


def rules(enter=()):
    """Tables, but for the skeletons that stay for the next container: of these, what is in them for one."""
    found = {f"nft {line.strip()}" for line in _run(*enter, "nft", "list", "tables").splitlines()}
    for table in BRIDGE_TABLES:
        if f"nft table {table}" in found:
            found.remove(f"nft table {table}")
            for item in json.loads(_run(*enter, "nft", "-j", "list", "table", *table.split()) or "{}").get("nftables", []):
                # Sets are of links of the host; what is published is in maps.
                found |= {f"element {element} of {table}" for element in item.get("map", {}).get("elem", [])}
    return found


def remove_bridges():
    """What agents keep for the next container: bridges without ports and tables without elements."""
    for link in json.loads(_run("ip", "-j", "-d", "link") or "[]"):
        if _is_bridge(link):
            subprocess.run(["ip", "link", "delete", link["ifname"]], check=True)
    for table in BRIDGE_TABLES:
        _run("nft", "delete", "table", *table.split())


def _network(enter=()):
    """Links, routes and rules of the network of this process, or of another that is entered."""
    links = [link for link in json.loads(_run(*enter, "ip", "-j", "-d", "link") or "[]") if not _is_bridge(link)]
    routes = [route for family in ("-4", "-6")
              for route in json.loads(_run(*enter, "ip", "-j", family, "route", "show", "table", "all") or "[]")]
    found = {f"interface {link['ifname']}" for link in links if INTERFACE.fullmatch(link["ifname"])}
    found |= {f"route {route['dst']} dev {route['dev']}" for route in routes
              if INTERFACE.fullmatch(route.get("dev", "")) and not BRIDGE.fullmatch(route.get("dev", ""))}
    found |= {f"route {route['dst']} of Berth" for route in routes if route.get("protocol") == PROTOCOL}
    found |= {f"rule of {rule['iif']} for table {rule['table']}" for family in ("-4", "-6")
              for rule in json.loads(_run(*enter, "ip", "-j", family, "rule") or "[]") if rule.get("protocol") == PROTOCOL}
    return found | rules(enter)


def snapshot(lab):
    found = _network()
    for host in lab.hosts:
        found |= {f"{host.name}: {item}" for item in _network(host.enter())}
    found |= {f"lease {path}" for path in glob.glob(f"{lab.directory}/**/run/ipam/*/leases/*", recursive=True)}
    found |= {f"CNI attachment {path}" for path in glob.glob(f"{lab.directory}/*/run/cni/*")}
    found |= {f"mount {where}" for where in mounts(lab.directory)}
    parents = {lab.cgroup, *(agent.cgroup for agent in lab.agents)}
    found |= {f"cgroup {group}" for parent in parents for group in cgroups(parent)
              if not any(group.rstrip("/").endswith(other) for other in parents)}
    found |= {f"task directory {path}" for path in glob.glob(f"{lab.directory}/*/data/tasks/*")}
    found |= {f"namespace {path}" for path in glob.glob(f"{lab.directory}/*/run/netns/*")}
    found |= set(_processes(lab.directory).values())
    return found


def of_task(agent, task_id):
    """What an agent's host holds of one task: all of it has the task's id in its name."""
    found = [f"cgroup {path}" for path in cgroups(agent.cgroup) if os.path.basename(path.rstrip("/")) == task_id]
    found += [f"mount {where}" for where in mounts(agent.directory) if task_id in where]
    found += [f"interface {link['ifname']} ({link['ifalias']})" for link in json.loads(_run("ip", "-j", "link") or "[]")
              if task_id in link.get("ifalias", "")]
    # Not by os.walk: a directory that is open here is open in whatever another thread is about to start, and then busy.
    found += [f"file {path}" for path in _run("find", agent.data, agent.run, "-name", f"*{task_id}*").splitlines()]
    return found + list(_processes(agent.directory, task_id).values())


def of_agent(agent):
    """What is left of a stopped agent that has no tasks any more, and was given a control group of its own."""
    with contextlib.closing(sqlite3.connect(os.path.join(agent.data, "agent.db"))) as store:
        found = [f"row of {table}: {row}" for table in ("task", "container") for row in store.execute(f"SELECT * FROM {table}")]
    found += [f"mount {where}" for where in mounts(agent.directory)]
    for root in glob.glob("/sys/fs/cgroup/*/") + ["/sys/fs/cgroup/"]:
        group = root.rstrip("/") + agent.cgroup
        try:
            if os.path.isdir(group):
                os.rmdir(group)
        except OSError as error:
            found.append(f"cgroup {group}: {error}")
    return found + list(_processes(agent.directory).values())


def difference(before, now, seconds=5):
    """What is there now and was not before; asynchronous kernel teardown gets a moment."""
    end = time.monotonic() + seconds
    while True:
        left = sorted(now() - before)
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.05)


def in_containerd(address, broken_off):
    """
    Leases, and snapshots that are neither layers of an image nor the pin of one. Where pulls may have been `broken_off`, by
    their time or the end of an agent, a lease that has an end may still hold what was being unpacked.
    """
    ctr = ("ctr", "--address", address, "--namespace", "berth")
    leases = _run(*ctr, "leases", "ls").splitlines()[1:]
    passing = [lease for lease in leases if broken_off and "containerd.io/gc.expire=" in lease]
    found = [f"lease {' '.join(lease.split())}" for lease in leases if lease not in passing]
    for line in _run(*ctr, "snapshots", "ls").splitlines()[1:]:
        key, kind = line.split()[0], line.split()[-1]
        if kind != "Committed" and not key.startswith(PIN) and not (passing and key.startswith("extract-")):
            found.append(f"snapshot {' '.join(line.split())}")
    return found


def sweep(lab):
    """Clears what a failed test left, so that the next one starts clean. Returns the control groups that cannot be removed."""
    for pid in _processes(lab.directory):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    time.sleep(0.05)
    for where in reversed(mounts(lab.directory)):
        subprocess.run(["umount", "-l", where], stderr=subprocess.DEVNULL)
    for parent in control_groups.directories(lab.cgroup):
        for path, _, _ in os.walk(parent, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(path)
    return control_groups.directories(lab.cgroup)
