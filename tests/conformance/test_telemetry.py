# SPDX-License-Identifier: Apache-2.0
"""Telemetry of an instance without containers. 20 s are 200 ms at a scale of 100."""
import time

import peer as peers

SLACK = 1.0


def is_metrics(message):
    return message["type"] == "PublishMetricsRequest"


def ack(tcs):
    tcs.say("AckPublishMetric", {"message": "ok"})


def next_metrics(tcs, timeout=10):
    while True:
        message = tcs.next(timeout)
        ack(tcs)
        if is_metrics(message):
            return message["message"]


def test_idle(agent, peer):
    """acs-T1 (the peer verifies each frame), acs-T2, acs-T3: at once, then each interval, which is 2 s here"""
    agent.start(BERTH_TIME_SCALE=10)
    tcs = peer.tcs.next()
    first = next_metrics(tcs, timeout=1.5)
    second, at_second = next_metrics(tcs), time.monotonic()
    third, at_third = next_metrics(tcs), time.monotonic()
    for message in (first, second, third):
        assert set(message) == {"metadata", "timestamp"}
        assert message["metadata"]["idle"] is True and message["metadata"]["fin"] is True
        assert message["metadata"]["cluster"] == "demo"
        assert message["metadata"]["containerInstance"] == peers.INSTANCE
        assert abs(message["timestamp"] - time.time()) < 10
    assert len({message["metadata"]["messageId"] for message in (first, second, third)}) == 3
    assert 1.5 <= at_third - at_second <= 2 + SLACK


def test_missing_acks(agent, peer):
    """acs-T9: 60 to 120 s are 300 to 600 ms; a close frame, and back at once after the echo"""
    agent.start(BERTH_TIME_SCALE=200)
    tcs = peer.tcs.next()
    closed = tcs.wait_closed()
    assert (closed.code, closed.reason) == (1000, "ConnectionExpired: Reconnect to continue")
    assert 0.29 <= tcs.ended_at - tcs.opened_at <= 0.6 + SLACK
    assert peer.tcs.wait_attempts(2)[1][0] - tcs.ended_at < 0.9, "the back-off begins at 1 s"


def test_errors_are_no_acks(agent, peer):
    """acs-T10"""
    agent.start(BERTH_TIME_SCALE=200)
    tcs = peer.tcs.next()
    while tcs.closed is None:
        try:
            for kind in ("ServerException", "BadRequestException", "ResourceValidationException",
                         "InvalidParameterException"):
                tcs.say(kind, {"message": "no"})
        except OSError:
            break
        time.sleep(0.05)
    assert tcs.wait_closed().code == 1000
    assert 0.29 <= tcs.ended_at - tcs.opened_at <= 0.6 + SLACK


def test_a_deaf_server_is_dropped_at_the_read_deadline(agent, peer):
    """acs-C20 for TCS: it neither echoes nor speaks; 3 min are 900 ms"""
    peer.echo_close = False
    agent.start(BERTH_TIME_SCALE=200)
    tcs = peer.tcs.next()
    closed = tcs.wait_closed()
    assert closed.code is None
    assert 0.29 <= tcs.close_frame_at - tcs.opened_at <= 0.6 + SLACK
    assert 0.89 <= tcs.ended_at - tcs.opened_at <= 0.9 + SLACK


def test_outage_is_flushed(agent, peer):
    """acs-T11: six intervals of 200 ms while it is away, delivered when it is back, stamped then"""
    peer.tcs.refuse_all = (503, "")
    agent.start(BERTH_TIME_SCALE=100)
    peer.tcs.wait_attempts(1)
    time.sleep(1.3)
    peer.tcs.refuse_all = None
    tcs = peer.tcs.next()
    back = time.time()
    got = [next_metrics(tcs, timeout=1) for _ in range(6)]
    assert all(message["timestamp"] >= back - 0.5 for message in got)


def test_a_long_outage_keeps_fifteen(agent, peer):
    """acs-T12 for the bound: 25 intervals away, 15 are delivered at once"""
    peer.tcs.refuse_all = (503, "")
    agent.start(BERTH_TIME_SCALE=200)
    peer.tcs.wait_attempts(1)
    time.sleep(2.6)
    peer.tcs.refuse_all = None
    tcs = peer.tcs.next()
    stamps = [next_metrics(tcs)["timestamp"] for _ in range(17)]
    assert stamps[14] - stamps[0] < 0.09, "fifteen are made at once"
    assert stamps[16] - stamps[0] >= 0.09, "the others at their beat"


def test_instance_status(agent, peer):
    """acs-T15: one before any heartbeat was answered for, then one for each heartbeat at most; containerd is not there"""
    agent.start(BERTH_TIME_SCALE=100)
    acs, tcs = peer.acs.next(), peer.tcs.next()
    status = tcs.next(kind="PublishInstanceStatusRequest")["message"]
    assert status["metadata"]["containerInstance"] == peers.INSTANCE and status["metadata"]["requestId"]
    assert [check["type"] for check in status["statuses"]] == ["ContainerRuntime"]
    seen = []
    until = time.monotonic() + 1.5
    acs.heartbeat(messageId="h1")
    while time.monotonic() < until:
        ack(tcs)
        try:
            message = tcs.next(0.1)
        except AssertionError:
            continue
        if message["type"] == "PublishInstanceStatusRequest":
            seen.append(message["message"]["statuses"][0]["status"])
    assert len(seen) <= 2, "at most one for the start of the agent and one for the heartbeat"


def test_backoff(agent, peer):
    """acs-T18: 1 to 1.2 s are 250 to 300 ms at a scale of 4, then 500 to 600, then 1 to 1.2 s"""
    peer.tcs.refuse_all = (400, '{"InactiveInstanceException":"not looked at here"}')
    agent.start(BERTH_TIME_SCALE=4)
    attempts = peer.tcs.wait_attempts(4)
    gaps = [later[0] - earlier[0] for earlier, later in zip(attempts, attempts[1:])]
    for waited, (least, most) in zip(gaps[1:], ((0.5, 0.6), (1, 1.2))):
        assert least - 0.01 <= waited <= most + SLACK, gaps
