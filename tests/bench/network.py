# SPDX-License-Identifier: Apache-2.0
"""What a task's network costs, beside the least that it could: tests/bench/network.c measures."""
import os
import subprocess

from tests.lab.berth import BUILD

# name, its figure, unit, the figure that it is set beside
ROWS = [
    ("network floor: namespace, veth, address, routes by raw netlink", "floor_us", "us", None),
    ("the same in process: the namespace alone", "namespace_us", "us", None),
    ("the same in process: namespace and `ecs-eni` ADD", "in_process_us", "us", "floor_us"),
    ("`ecs-eni` ADD by exec", "exec_us", "us", None),
    ("1 task attached by the agent's runtime", "attach_1_ms", "ms", None),
    ("100 tasks attached at once", "attach_100_ms", "ms", None),
    ("security groups: the first task of a host, and its end", "nft_0_us", "us", None),
    ("security groups: a task comes or goes beside 1", "nft_1_us", "us", None),
    ("security groups: beside 200", "nft_200_us", "us", "nft_1_us"),
    ("security groups: beside 1,000", "nft_1000_us", "us", "nft_1_us"),
    ("floor: TCP over a bare veth pair", "bare_gbit", "Gbit/s", None),
    ("TCP between two tasks", "own_gbit", "Gbit/s", "bare_gbit"),
    ("floor: round trip over a bare veth pair", "bare_rtt_us", "us", None),
    ("round trip between two tasks", "own_rtt_us", "us", "bare_rtt_us"),
]


def measure(quick):
    done = subprocess.run([os.path.join(BUILD, "tests", "bench-network"), os.path.join(BUILD, "bin"), "20" if quick else "100"],
                          stdout=subprocess.PIPE, check=True, text=True)
    return {name: float(value) for name, value in (line.split() for line in done.stdout.splitlines())}


def rows(result):
    """As the table has them: name, value, unit, the value beside it, no reference."""
    return [(name, result[figure], unit, result[beside] if beside else None, None) for name, figure, unit, beside in ROWS]
