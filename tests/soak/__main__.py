# SPDX-License-Identifier: Apache-2.0
"""Short tasks of all shapes while agent, containerd and control plane are killed at random.

    BERTH_BUILD=build/release /usr/bin/python3 -B -m tests.soak [--tasks 2000] [--seed N] [--parallel K] [--network]

With --network the tasks are of the modes awsvpc and bridge, four at once, on a network of the lab's own; at the end nothing may be
in it that was not before: no link, address, route, rule, neighbour, nftables object or conntrack zone.

Each task must end as its shape says, the agent must not grow, and nothing may be left on the host. The seed decides what the
tasks are and when something is killed, not how that meets. Needs root.
"""
import argparse
import random
import sys

from tests.lab import network
from tests.lab.berth import Lab, sanitized

from .soak import Soak


def main():
    parser = argparse.ArgumentParser(prog="soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--parallel", type=int, help="tasks at once (12, with --network 4)")
    parser.add_argument("--network", action="store_true")
    options = parser.parse_args()
    parallel = options.parallel or (4 if options.network else 12)
    if options.network:
        network.enter_own()
    with Lab(subnet="10.99.0.0/22", state="file") as lab:
        soak = Soak(lab, options.tasks, options.seed, parallel, options.network)
        try:
            soak.run()
        finally:
            soak.report(sys.stdout)
        wrong = soak.wrong(growth=not sanitized())
    print("\n".join(wrong) or "nothing is wrong, and nothing is left on the host")
    sys.exit(1 if wrong else 0)


main()
