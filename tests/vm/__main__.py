# SPDX-License-Identifier: Apache-2.0
"""
python3 -m tests.vm: what the kernel of this machine cannot show, in guests with Debian's kernel.
python3 -m tests.vm [-a KERNEL_ARGUMENTS] COMMAND...: one command in a guest.
"""
import argparse
import os
import shlex
import signal
import sys
import time

from ..lab.berth import BUILD
from .image import Unavailable
from .machine import KILLED, Machine

LIMIT_SECONDS = 900  # of a guest: it is for what does not end at all
LIMIT_SECONDS_ALL = 3600
MODULES = "br_netfilter tun"  # what a host with containers has loaded; all else the kernel asks for itself
# Those that take seconds there; with --all those that take minutes, too.
UNITS = "^unit-(netns-live_(link|namespace|nft|nft_batch)|cni-plugins-live_(move|branch_vlan|geneve)|runtime-live_(cgroup|pause))$"
ALL_UNITS = "^unit-(netns|cni-plugins)-|^unit-runtime-live_(cgroup|confinement|container|pause)$|^unit-agent-executor-live_links$"
PYTEST = "/usr/bin/python3 -B -m pytest -q -p no:cacheprovider --color=no -rs --durations=0 tests/vm/guest"


def units(pattern):
    """Nothing may be skipped: what other kernels do not have, this one has."""
    build = shlex.quote(BUILD)
    return (f"ctest --test-dir {build} -R '{pattern}' --output-on-failure --no-tests=error -j 2 --timeout 1000; status=$?\n"
            f"if grep '^skipped: ' {build}/Testing/Temporary/LastTest.log; then status=1; fi\n")


def suite(everything):
    return (("Debian's kernel", "", f"{units(ALL_UNITS if everything else UNITS)}{PYTEST}/test_kernel.py tests/vm/guest/test_plugins.py && exit $status"),
            ("without IPv6", "ipv6.disable=1", f"{PYTEST}/test_without_ipv6.py"))


def job(command):
    kept = {name: os.environ[name] for name in ("BERTH_NO_SKIP", "ASAN_OPTIONS", "UBSAN_OPTIONS") if name in os.environ}
    kept.update(BERTH_BUILD=BUILD, BERTH_TEST_PATIENCE="5")
    settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in kept.items())
    return f"modprobe -a {MODULES}\nexport {settings}\n{command}\n"


def run(name, arguments, command, limit=LIMIT_SECONDS_ALL):
    began, used = time.monotonic(), sum(os.times()[2:4])
    print(f"== guest: {name}", flush=True)
    status = Machine(job(command), arguments, os.environ.get("BERTH_VM_CONSOLE")).run(limit)
    said = f"did not end within {limit} s" if status == KILLED else f"exit status {status}"
    print(f"== guest: {name}: {said}, {time.monotonic() - began:.0f} s, {sum(os.times()[2:4]) - used:.0f} s of CPU", flush=True)
    return status


def main():
    parser = argparse.ArgumentParser(prog="python3 -m tests.vm", description="Tests in a guest with Debian's kernel.")
    parser.add_argument("-a", "--arguments", default="", help="more of the kernel's command line")
    parser.add_argument("--all", action="store_true", help="all unit tests of netns and cni-plugins, which takes a quarter of an hour")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="run this instead of the tests")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        if options.command:
            return run(options.command[0], options.arguments, shlex.join(options.command))
        return max([run(*part, LIMIT_SECONDS_ALL if options.all else LIMIT_SECONDS) for part in suite(options.all)])
    except Unavailable as error:
        print(f"skipped: there can be no guest here: {error}")
        return int(os.environ.get("BERTH_NO_SKIP", "0") not in ("", "0"))


sys.exit(main())
