# SPDX-License-Identifier: Apache-2.0
"""Whether the agent is well, and who says so. 120 s of silence are 0.6 s here."""
import contextlib
import json
import os
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from tests.lab.processes import free_port

SCALE = 200
PARTS = ("acs-session", "tcs-session", "credentials", "container-runtime", "state-store")


@pytest.fixture
def port(agent):
    """Of the agent's introspection; it is started in the test."""
    agent.settings["BERTH_INTROSPECTION_PORT"] = str(free_port())
    return agent.settings["BERTH_INTROSPECTION_PORT"]


def ask(port):
    """Status, and the parts by name."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/health", timeout=30) as answer:
            status, body = answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        status, body = error.code, json.load(error)
    parts = {part["name"]: part for part in body["parts"]}
    assert tuple(parts) == PARTS
    assert body["healthy"] == (status == 200) == all(part["state"] == "healthy" for part in parts.values())
    return status, parts


def failing(parts):
    return {name for name, part in parts.items() if part["state"] != "healthy"}


def wait_failing(port, names, timeout=60):
    until = time.monotonic() + timeout
    while True:
        status, parts = ask(port)
        if failing(parts) == set(names):
            assert status == (503 if names else 200)
            return parts
        assert time.monotonic() < until, parts
        time.sleep(0.02)


def healthcheck(agent, *flags, **settings):
    """Exit code and output of the program that asks."""
    environment = {**{name: str(value) for name, value in agent.settings.items()}, **settings}
    done = subprocess.run([agent.program, *agent.arguments, *flags], env=environment, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout


def keep_both(peer):
    acs, tcs = peer.acs.next(), peer.tcs.next()
    acs.keep_alive()
    tcs.keep_alive()
    return acs, tcs


def test_an_agent_with_all_its_parts_is_healthy(agent, peer, port):
    agent.start(BERTH_TIME_SCALE=SCALE)
    keep_both(peer)
    parts = wait_failing(port, [])
    assert "AWS" not in parts["credentials"]["text"] and "have no end" in parts["credentials"]["text"]
    assert parts["acs-session"]["since"].endswith("Z")
    for flag in ("--healthcheck", "-healthcheck"):
        assert healthcheck(agent, flag) == (0, "")
    assert healthcheck(agent, "-healthcheck", ECS_AGENT_HEALTHCHECK_HOST="127.0.0.1") == (0, "")


def test_nobody_is_not_healthy(agent, port):
    code, out = healthcheck(agent, "-healthcheck")
    assert code == 1 and out.startswith("agent: GET http://127.0.0.1") and "refused" in out


def test_an_agent_that_is_not_registered_is_not_healthy(agent, peer, port):
    peer.refuse("RegisterContainerInstance", "ThrottlingException", times=1000)
    agent.start()
    peer.wait_call("RegisterContainerInstance")
    assert failing(ask(port)[1]) == {"acs-session", "tcs-session"}
    code, out = healthcheck(agent, "-healthcheck")
    assert code == 1
    assert [line.split(":")[0] for line in out.splitlines()] == ["acs-session", "tcs-session"]
    assert "this host is not registered yet" in out


@pytest.mark.parametrize("silent", ["acs", "tcs"])
def test_a_silent_session_is_named_and_comes_back(agent, peer, port, silent):
    """
    It accepts each connection, answers pings, and says nothing: the other stays well, this one is restarted time and again,
    and is not well until it speaks.
    """
    agent.start(BERTH_TIME_SCALE=SCALE)
    acs, tcs = peer.acs.next(), peer.tcs.next()
    channel, mute, other = (peer.acs, acs, tcs) if silent == "acs" else (peer.tcs, tcs, acs)
    other.keep_alive()
    parts = wait_failing(port, [f"{silent}-session"])
    assert "was last heard of" in parts[f"{silent}-session"]["text"]
    code, out = healthcheck(agent, "-healthcheck")
    assert code == 1 and out.startswith(f"{silent}-session: unhealthy since ") and len(out.splitlines()) == 1
    mute.wait_closed()
    again = channel.next()
    assert failing(ask(port)[1]) == {f"{silent}-session"}, "a handshake alone is no sign of life"
    again.keep_alive()
    wait_failing(port, [])


def test_a_runtime_that_does_not_answer_is_named(agent, peer, port):
    agent.end_containerd()
    agent.start(BERTH_TIME_SCALE=SCALE)
    keep_both(peer)
    parts = wait_failing(port, ["container-runtime"])
    assert "containerd does not answer at " in parts["container-runtime"]["text"]


def test_a_state_that_cannot_be_saved_is_named(agent, peer, port):
    """Another writer holds it, for longer than the agent waits (5 s): only a write shows that."""
    agent.start()
    peer.acs.next(), peer.tcs.next()
    with contextlib.closing(sqlite3.connect(os.path.join(agent.settings["ECS_DATADIR"], "agent.db"),
                                            isolation_level=None)) as state:
        state.execute("BEGIN IMMEDIATE")
        parts = wait_failing(port, ["state-store"])
        assert "the state cannot be saved: " in parts["state-store"]["text"]
        state.execute("ROLLBACK")
