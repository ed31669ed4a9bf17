# SPDX-License-Identifier: Apache-2.0
"""net.ipv4.ip_forward: on for the tasks, and afterwards as it was."""
import os

import pytest

from test_init import init_host  # noqa: F401  (a fixture)

IP_FORWARD = "/proc/sys/net/ipv4/ip_forward"


@pytest.mark.parametrize("found", ["0", "1"])
def test_forwarding_becomes_what_it_was(init_host, found):  # noqa: F811
    """Also when the host was prepared twice, as it is after a crash."""
    init_host.here.sysctl(IP_FORWARD, found)
    init_host.init("pre-start")
    init_host.init("pre-start")
    assert init_host.here.sysctl(IP_FORWARD) == "1"
    init_host.init("post-stop")
    assert init_host.here.sysctl(IP_FORWARD) == found
    init_host.init("post-stop")
    assert init_host.here.sysctl(IP_FORWARD) == found


def test_forwarding_that_others_switch_on_is_theirs(init_host):  # noqa: F811
    """What was taken back once is not taken back again."""
    init_host.here.sysctl(IP_FORWARD, 0)
    init_host.init("pre-start")
    init_host.init("post-stop")
    init_host.here.sysctl(IP_FORWARD, 1)
    init_host.init("pre-start")
    init_host.init("post-stop")
    assert init_host.here.sysctl(IP_FORWARD) == "1"


def test_forwarding_stays_for_tasks_that_run_on(init_host):  # noqa: F811
    """Stopping the service stops no container, nor its network; once they are gone the setting goes too."""
    init_host.here.sysctl(IP_FORWARD, 0)
    init_host.init("pre-start")
    namespace = os.path.join(init_host.directory, "run", "netns", "0123456789abcdef0123456789abcdef")
    os.makedirs(os.path.dirname(namespace))
    with open(namespace, "w"):
        pass
    init_host.init("post-stop")
    assert init_host.here.sysctl(IP_FORWARD) == "1"
    init_host.init("pre-start")
    os.unlink(namespace)
    init_host.init("post-stop")
    assert init_host.here.sysctl(IP_FORWARD) == "0"
