# SPDX-License-Identifier: Apache-2.0
"""Connection and session. Times are divided by BERTH_TIME_SCALE where it is set."""
import json
import subprocess
import time

import pytest

import peer as peers
from messages import one_of_several

SLACK = 5.0  # of a busy machine, on top of an upper bound
AT_ONCE = 0.24  # below the least back-off


def gap(peer, connection, attempts, channel=None):
    """From the end of a connection to the next attempt."""
    connection.wait_closed()
    found = (channel or peer.acs).wait_attempts(attempts)
    return found[attempts - 1][0] - connection.ended_at


def test_first_connect(agent, peer):
    """acs-C1, acs-C2, acs-C3 (the peer verifies every signature), cfg-R1, cfg-R33"""
    agent.start()
    acs, tcs = peer.acs.next(), peer.tcs.next()
    assert acs.path == tcs.path == "/ws"
    assert set(acs.params) == {"agentHash", "agentVersion", "clusterArn", "containerInstanceArn", "dockerVersion",
                               "protocolVersion", "sendCredentials", "seqNum"}
    assert acs.params["clusterArn"] == "demo" and acs.params["containerInstanceArn"] == peers.INSTANCE
    assert (acs.params["seqNum"], acs.params["protocolVersion"], acs.params["sendCredentials"]) == ("1", "2", "true")
    assert set(tcs.params) <= {"agentHash", "agentVersion", "cluster", "containerInstance", "dockerVersion"}
    assert tcs.params["cluster"] == "demo" and tcs.params["containerInstance"] == peers.INSTANCE
    for connection in (acs, tcs):
        assert "sec-websocket-protocol" not in connection.headers
        assert "sec-websocket-extensions" not in connection.headers
        assert "origin" not in connection.headers and "cookie" not in connection.headers
        signed = connection.headers["authorization"].split("SignedHeaders=")[1].split(",")[0]
        assert signed == "host;x-amz-date;x-amz-security-token"
    assert len(peer.called("DiscoverPollEndpoint")) == 1
    assert peer.called("DiscoverPollEndpoint")[0][2] == {"cluster": "demo", "containerInstance": peers.INSTANCE,
                                                         "zoneId": ""}
    assert len(peer.called("RegisterContainerInstance")) == 1


def test_send_credentials_flips_with_the_first_connection(agent, peer):
    """acs-C4"""
    peer.acs.refusals = [(500, ""), (500, "")]
    agent.start()
    peer.acs.next().close(1000)
    peer.acs.next()
    assert ["sendCredentials=true" in query for _, query in peer.acs.attempts] == [True, True, True, False]


def test_endpoint_is_cached(connected, peer):
    """acs-C5"""
    _, acs = connected
    for _ in range(5):
        acs.close(1000)
        acs = peer.acs.next()
    assert len(peer.called("DiscoverPollEndpoint")) == 1


@pytest.mark.parametrize("path, upgraded", [("/", "/ws"), ("/x", "/x/ws")])
def test_endpoint_path(agent, peer, path, upgraded):
    """acs-C6"""
    peer.endpoint_path = path
    agent.start()
    assert peer.acs.next().path == upgraded
    assert peer.tcs.next().path == upgraded


@pytest.mark.parametrize("end", [1000, 1001, 1011, "FIN"])
def test_clean_closes_return_at_once(connected, peer, end):
    """acs-C7: after a close of the other class it is never back before 250 ms"""
    acs = [connected[1]]

    def attempt():
        time.sleep(0.15)  # past the floor between two attempts
        count = len(peer.acs.attempts) + 1
        if end == "FIN":
            acs[0].fin()
        else:
            acs[0]._frame(8, end.to_bytes(2, "big"))
        waited = gap(peer, acs[0], count)
        acs[0] = peer.acs.next()
        assert waited < AT_ONCE
    one_of_several(attempt)


@pytest.mark.parametrize("end", [1002, 1003, 1005, 1008, 1012, "reset"])
def test_error_closes_back_off(connected, peer, end):
    """acs-C8: 250 to 300 ms, then 375 to 450, then 562 to 675"""
    _, acs = connected
    for number, (least, most) in enumerate(((0.25, 0.3), (0.375, 0.45), (0.562, 0.675))):
        if end == "reset":
            acs.reset()
        else:
            acs._frame(8, b"" if end == 1005 else end.to_bytes(2, "big"))
        waited = gap(peer, acs, number + 2)
        assert least - 0.01 <= waited <= most + SLACK, (end, number)
        acs = peer.acs.next()


def test_backoff_has_a_ceiling(agent, peer):
    """acs-C9: 144 s are 144 ms here; it is reached after about 17 attempts"""
    peer.acs.refuse_all = (503, "")
    agent.start(BERTH_TIME_SCALE=1000)
    attempts = peer.acs.wait_attempts(28)
    gaps = [later[0] - earlier[0] for earlier, later in zip(attempts[20:], attempts[21:])]
    assert all(0.115 <= waited <= 0.144 + SLACK for waited in gaps) and min(gaps) < 0.17, gaps


def beat(connection, times=None):
    """Heartbeats, each 20 ms, until the connection ends or there were so many."""
    while connection.closed is None and times != 0:
        try:
            connection.heartbeat(healthy=True)
        except OSError:
            return
        time.sleep(0.02)
        times = times and times - 1


def test_backoff_is_reset_by_age(agent, peer):
    """acs-C10: 60 to 120 s are 200 to 400 ms here"""
    agent.start(BERTH_TIME_SCALE=300)

    def attempt():
        for _ in range(3):
            peer.acs.next().close(1008)
        acs = peer.acs.next()
        beat(acs, 30)
        count = len(peer.acs.attempts) + 1
        acs._frame(8, (1008).to_bytes(2, "big"))
        # Three closes went before: without the reset it would be 843 ms or more.
        assert 0.24 <= gap(peer, acs, count) <= 0.8
    one_of_several(attempt)


@pytest.mark.parametrize("body", ['{"InactiveInstanceException":"x"}',
                                  '{"__type":"InactiveInstanceException","message":"x"}'])
def test_inactive_instance(agent, peer, body):
    """acs-C11, acs-C12: an hour is 6 s here; TCS is dropped once and comes back, the agent stays up"""
    def attempt():
        before = len(peer.called("RegisterContainerInstance"))
        agent.start(BERTH_TIME_SCALE=600)
        acs, tcs = peer.acs.next(), peer.tcs.next()
        tcs.keep_alive()
        first = len(peer.acs.attempts)
        peer.acs.refusals = [(400, body)]
        acs.close(1000)
        assert tcs.wait_closed().code is None
        peer.tcs.next()
        attempts = peer.acs.wait_attempts(first + 2)
        assert 5.95 <= attempts[first + 1][0] - attempts[first][0] <= 6 + SLACK
        assert agent.is_running()
        assert len(peer.called("RegisterContainerInstance")) == before + 1
    one_of_several(attempt, agent, peer)


def test_inactive_instance_as_a_frame(connected, peer):
    """acs-C13"""
    _, acs = connected
    acs.say("InactiveInstanceException", {"message": "x"})
    acs.silent()
    assert len(peer.acs.attempts) == 1


def test_other_refusals_are_retried(agent, peer):
    """acs-C14"""
    peer.acs.refusals = [(400, '{"InvalidClusterException":"x"}')]
    agent.start()
    peer.acs.next()
    assert 0.24 <= peer.acs.attempts[1][0] - peer.acs.attempts[0][0] <= 0.3 + SLACK
    assert agent.is_running()


NOTHING = {
    "silence": lambda acs: None,
    "pings": lambda acs: acs.ping(b"are you there"),
    "an unknown type": lambda acs: acs.say("Nope", {}),
    "a type in the wrong case": lambda acs: acs.say("heartbeatmessage", {}),
    "no message": lambda acs: acs.send('{"type":"HeartbeatMessage"}'),
    "no JSON": lambda acs: acs.send("{"),
}


@pytest.mark.parametrize("what", NOTHING)
def test_what_is_no_activity(agent, peer, what):
    """acs-C15, acs-C16, acs-C17: 60 to 120 s are 300 to 600 ms here; the deadline for reading would end it after 900"""
    agent.start(BERTH_TIME_SCALE=200)

    def attempt():
        acs = peer.acs.next()
        attempts = len(peer.acs.attempts)
        while acs.closed is None:
            try:
                NOTHING[what](acs)
            except OSError:
                break
            time.sleep(0.05)
        closed = acs.wait_closed()
        assert closed.code is None, "no close frame"
        assert peer.acs.wait_attempts(attempts + 1)[attempts][0] - acs.ended_at >= 0.24
        assert 0.29 <= acs.ended_at - acs.opened_at < 0.89
        if what == "pings":
            assert acs.pongs and set(acs.pongs) == {b"are you there"}
    one_of_several(attempt)


def test_known_types_without_handler_are_activity(agent, peer):
    """acs-C18"""
    agent.start(BERTH_TIME_SCALE=200)

    def attempt(kind):
        acs = peer.acs.next()
        acs.keep_alive(0.05, kind, message="x")
        time.sleep(1.2)  # silence would end it within 0.6 s
        assert acs.closed is None
        acs.close(1000)

    for kind in ("ErrorMessage", "CloseMessage", "ServerException", "AckRequest"):
        one_of_several(lambda kind=kind: attempt(kind))


def test_lifetime(agent, peer):
    """acs-C19: 30 to 35 min are 6 to 7 s here; both sessions"""
    def attempt():
        agent.start(BERTH_TIME_SCALE=300)
        acs, tcs = peer.acs.next(), peer.tcs.next()
        before = {peer.acs: len(peer.acs.attempts), peer.tcs: len(peer.tcs.attempts)}
        for connection in (acs, tcs):
            connection.keep_alive()
        for connection in (acs, tcs):
            closed = connection.wait_closed()
            assert closed.code == 1000
            assert closed.reason == "ConnectionExpired: Reconnect to continue"
            assert 5.95 <= connection.ended_at - connection.opened_at <= 7 + SLACK
        back = {channel: channel.wait_attempts(count + 1)[count][0] for channel, count in before.items()}
        assert back[peer.acs] - acs.ended_at < AT_ONCE
        assert back[peer.tcs] - tcs.ended_at < 0.9, "the back-off of TCS begins at 1 s"

    one_of_several(attempt, agent, peer)


def test_lifetime_with_a_deaf_server(agent, peer):
    """
    acs-C20 for ACS: its close frame is not echoed; dropped 200 to 400 ms after the last message. The deadline for reading
    would end it after 600.
    """
    peer.echo_close = False
    agent.start(BERTH_TIME_SCALE=300)

    def attempt():
        acs = peer.acs.next()
        attempts = len(peer.acs.attempts)
        last = None
        while acs.close_frame_at is None and acs.closed is None:
            last = time.monotonic()
            try:
                acs.heartbeat()
            except OSError:
                break
            time.sleep(0.01)
        assert acs.wait_closed().code is None
        peer.acs.wait_attempts(attempts + 1)
        assert acs.close_frame_at is not None
        assert 0.19 <= acs.ended_at - last < 0.59
    one_of_several(attempt)


def test_fragmented_and_tolerated_envelopes(connected):
    """acs-C21, acs-M1, acs-M2"""
    _, acs = connected
    acs.send('{"TYPE":"HeartbeatMessage","MESSAGE":{"MESSAGEID":"upper"}}')
    assert acs.expect("HeartbeatAckRequest") == {"messageId": "upper"}
    acs.send(json.dumps({"type": "HeartbeatMessage", "message": {"messageId": "binary"}}), opcode=2)
    assert acs.expect("HeartbeatAckRequest") == {"messageId": "binary"}
    acs.send('{"type":"HeartbeatMessage","message":null}')
    assert acs.expect("HeartbeatAckRequest") == {}
    acs.send('{"type":"HeartbeatMessage","message":{"messageId":"more","new":{"a":[1]}},"other":1}')
    assert acs.expect("HeartbeatAckRequest") == {"messageId": "more"}
    # One message in three frames, with a ping between them.
    text = b'{"type":"HeartbeatMessage","message":{"messageId":"cut"}}'
    for first, part in ((0x01, text[:10]), (0x89, b"p"), (0x00, text[10:30]), (0x80, text[30:])):
        acs.sock.sendall(bytes([first, len(part)]) + part)
    assert acs.expect("HeartbeatAckRequest") == {"messageId": "cut"}


@pytest.mark.parametrize("text", ["{", "[]", '"x"', '{"type":"HeartbeatMessage"}',
                                  '{"type":"HeartbeatMessage","message":{"messageId":5}}',
                                  '{"type":"heartbeatmessage","message":{}}', '{"message":{}}', "\ufeff{}", "[" * 5000])
def test_malformed(connected, text):
    """acs-C22"""
    agent, acs = connected
    acs.send(text)
    acs.silent(0.05)
    assert agent.is_running()


def test_sessions_survive_a_truncated_frame(connected, peer):
    """A frame whose end never comes: the connection is lost, the agent is not."""
    agent, acs = connected
    acs.sock.sendall(b"\x81\x7e\x01\x00{\"type\":")
    acs.fin()
    peer.acs.next().silent(0.05)
    assert agent.is_running()


def wait_again(channel, attempts, timeout):
    """The next attempt comes within so long; the times of a busy machine are on top."""
    began = time.monotonic()
    channel.wait_attempts(attempts + 1, timeout + SLACK)
    return time.monotonic() - began


def test_half_open_connections_are_left(agent, peer):
    """
    The host of the peer is gone, without a FIN: nothing is answered, not even by its kernel. ACS is dropped after 300 to 600
    ms (60 to 120 s), TCS at the latest by the deadline for reading, 900 ms; and both come back when the peer does.
    """
    agent.start(BERTH_TIME_SCALE=200)
    acs, tcs = peer.acs.next(), peer.tcs.next()
    for connection in (acs, tcs):
        connection.heartbeat()
    ports = ", ".join(str(connection.sock.getpeername()[1]) for connection in (acs, tcs))
    subprocess.run(["nft", "-f", "-"], check=True, text=True, input=(
        f"table inet half-open {{ chain input {{ type filter hook input priority 0; tcp sport {{ {ports} }} drop; "
        f"tcp dport {{ {ports} }} drop; }}; }}"))
    try:
        assert wait_again(peer.acs, 1, 0.6) >= 0.2
        assert wait_again(peer.tcs, 1, 0.9) >= 0
        assert acs.closed is None and tcs.closed is None, "the peer heard nothing of it"
        for channel in (peer.acs, peer.tcs):
            channel.next().keep_alive()
    finally:
        subprocess.run(["nft", "delete", "table", "inet", "half-open"], check=True)


def test_what_does_not_drain_is_left(agent, peer):
    """The peer sends on, and reads nothing: what the agent has to say does not leave. 180 s are 900 ms; 30 min are 9 s."""
    agent.start(BERTH_TIME_SCALE=200)
    peer.tcs.next().keep_alive()
    acs = peer.acs.next()
    acs.deaf = True
    for number in range(250):
        acs.heartbeat(messageId=f"{number}" * 20000)
    acs.keep_alive()
    assert wait_again(peer.acs, 1, 2) < 7, "it is not its lifetime that ends it"


@pytest.mark.parametrize("which, scale", [("acs", 600), ("tcs", 200)])
def test_a_close_frame_that_is_not_answered(agent, peer, which, scale):
    """
    The peer does not answer the close frame (of ACS at the end of its lifetime, of TCS after silence), and sends on: it is
    left 180 s later all the same.
    """
    peer.echo_close = False
    agent.start(BERTH_TIME_SCALE=scale)
    channel, other = (peer.acs, peer.tcs) if which == "acs" else (peer.tcs, peer.acs)
    other.next().keep_alive()

    def attempt():
        connection = channel.next()
        if which == "acs":
            connection.keep_alive()
        while connection.close_frame_at is None and connection.closed is None:
            time.sleep(0.005)
        connection.keep_alive()
        connection.wait_closed()
        assert connection.close_frame_at is not None
        assert connection.ended_at - connection.close_frame_at >= 180 / scale - 0.05
        assert connection.ended_at - connection.close_frame_at <= 180 / scale + SLACK
    one_of_several(attempt)
