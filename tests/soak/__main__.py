# SPDX-License-Identifier: Apache-2.0
"""Short tasks of all shapes while agent, containerd and control plane are killed at random.

    BERTH_BUILD=build/release /usr/bin/python3 -B -m tests.soak [--tasks 2000] [--seed N] [--parallel K]

Each task must end as its shape says, the agent must not grow, and nothing may be left on the host. The seed decides what the
tasks are and when something is killed, not how that meets. Needs root.
"""
import argparse
import random
import sys

from tests.lab.berth import Lab

from .soak import Soak


def main():
    parser = argparse.ArgumentParser(prog="soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--parallel", type=int, default=12)
    options = parser.parse_args()
    with Lab(subnet="10.99.0.0/22", state="file") as lab:
        soak = Soak(lab, options.tasks, options.seed, options.parallel)
        try:
            soak.run()
        finally:
            soak.report(sys.stdout)
        wrong = soak.wrong()
    print("\n".join(wrong) or "nothing is wrong, and nothing is left on the host")
    sys.exit(1 if wrong else 0)


main()
