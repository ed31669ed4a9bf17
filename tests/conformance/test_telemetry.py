# SPDX-License-Identifier: Apache-2.0
"""Telemetry of an instance without containers. 20 s are 200 ms at a scale of 100."""
import time

import peer as peers
from messages import one_of_several

SLACK = 5.0  # of a busy machine, on top of an upper bound
STATUS = "PublishInstanceStatusRequest"


def is_metrics(message):
    return message["type"] == "PublishMetricsRequest"


def ack(tcs):
    tcs.say("AckPublishMetric", {"message": "ok"})


def next_metrics(tcs, timeout=peers.DEADLINE):
    while True:
        message = tcs.next(timeout)
        ack(tcs)
        if is_metrics(message):
            return message["message"]


def test_idle(agent, peer):
    """acs-T1 (the peer verifies each frame), acs-T2, acs-T3: at once, then each interval, which is 2 s here"""
    def attempt():
        agent.start(BERTH_TIME_SCALE=10)
        tcs = peer.tcs.next()
        messages = [next_metrics(tcs, timeout=1.9)]
        at = [time.monotonic()]
        for _ in range(2):
            messages.append(next_metrics(tcs))
            at.append(time.monotonic())
        for message in messages:
            assert set(message) == {"metadata", "timestamp"}
            assert message["metadata"]["idle"] is True and message["metadata"]["fin"] is True
            assert message["metadata"]["cluster"] == "demo"
            assert message["metadata"]["containerInstance"] == peers.INSTANCE
            assert abs(message["timestamp"] - time.time()) < 10
        assert len({message["metadata"]["messageId"] for message in messages}) == 3
        assert 1.5 <= at[2] - at[1] <= 2.5
    one_of_several(attempt, agent, peer)


def test_missing_acks(agent, peer):
    """
    acs-T9: 60 to 120 s are 300 to 600 ms; a close frame, and back at once after the echo. The deadline for reading would drop
    it after 900.
    """
    agent.start(BERTH_TIME_SCALE=200)

    def attempt():
        tcs = peer.tcs.next()
        attempts = len(peer.tcs.attempts)
        closed = tcs.wait_closed()
        assert (closed.code, closed.reason) == (1000, "ConnectionExpired: Reconnect to continue")
        assert 0.29 <= tcs.ended_at - tcs.opened_at < 0.89
        assert peer.tcs.wait_attempts(attempts + 1)[attempts][0] - tcs.ended_at < 0.9, "the back-off begins at 1 s"
    one_of_several(attempt)


def test_errors_are_no_acks(agent, peer):
    """acs-T10"""
    agent.start(BERTH_TIME_SCALE=200)

    def attempt():
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
        assert 0.29 <= tcs.ended_at - tcs.opened_at < 0.89
    one_of_several(attempt)


def test_a_deaf_server_is_dropped_at_the_read_deadline(agent, peer):
    """acs-C20 for TCS: it neither echoes nor speaks; 3 min are 900 ms"""
    peer.echo_close = False
    agent.start(BERTH_TIME_SCALE=200)

    def attempt():
        tcs = peer.tcs.next()
        assert tcs.wait_closed().code is None
        assert tcs.close_frame_at is not None
        assert 0.29 <= tcs.close_frame_at - tcs.opened_at < 0.89
        assert 0.89 <= tcs.ended_at - tcs.opened_at <= 0.9 + SLACK
    one_of_several(attempt)


def outage(agent, peer, seconds, scale):
    """The telemetry endpoint is away for so long from the start on; the connection that follows."""
    peer.tcs.refuse_all = (503, "")
    agent.start(BERTH_TIME_SCALE=scale)
    peer.tcs.wait_attempts(len(peer.tcs.attempts) + 1)
    time.sleep(seconds)
    peer.tcs.refuse_all = None
    return peer.tcs.next()


def arrivals(tcs, count):
    """The next metrics, and when each of them came."""
    found = []
    for _ in range(count):
        message = next_metrics(tcs)
        found.append((time.monotonic(), message))
    return found


def test_outage_is_flushed(agent, peer):
    """acs-T11: six intervals of 400 ms while it is away, delivered at once when it is back, stamped then"""
    def attempt():
        while True:
            before = len(peer.tcs.attempts)
            tcs = outage(agent, peer, 2.6, scale=50)
            # The beat began with the first attempt. Where the next one is near it would hide that it was waited for.
            if (tcs.opened_at - peer.tcs.attempts[before][0]) % 0.4 < 0.2:
                break
            agent.stop()
            peer.acs.forget()
        back = time.time()
        got = arrivals(tcs, 6)
        assert all(message["timestamp"] >= back - 0.5 for _, message in got)
        assert got[-1][0] - tcs.opened_at < 0.15, "all of it at once, and not at the beat"
    one_of_several(attempt, agent, peer)


def test_a_long_outage_keeps_fifteen(agent, peer):
    """acs-T12 for the bound: 25 intervals of 100 ms away, 15 are delivered at once"""
    def attempt():
        tcs = outage(agent, peer, 2.6, scale=200)
        stamps = [message["timestamp"] for _, message in arrivals(tcs, 17)]
        assert stamps[14] - stamps[0] < 0.09, "fifteen are made at once"
        assert stamps[16] - stamps[0] >= 0.09, "the others at their beat"
    one_of_several(attempt, agent, peer)


def runtime_status(tcs):
    message = tcs.next(kind=STATUS)["message"]
    assert message["metadata"]["containerInstance"] == peers.INSTANCE and message["metadata"]["requestId"]
    check, = message["statuses"]
    assert check["type"] == "ContainerRuntime"
    return check


def test_instance_status(agent, peer):
    """
    acs-T15, cfg-S8: one for each heartbeat and no more, at the beat of 20 s, which is 400 ms here; OK, and IMPAIRED once
    containerd has died.
    """
    def attempt():
        if not agent.containerd:
            agent.start_containerd()
        agent.start(BERTH_TIME_SCALE=50)
        acs, tcs = peer.acs.next(), peer.tcs.next()
        acs.keep_alive(kind="ErrorMessage", message="it only has to live")
        tcs.keep_alive()
        seen = [runtime_status(tcs)]
        while seen[-1]["status"] == "INITIALIZING":
            seen.append(runtime_status(tcs))
        assert [check["status"] for check in seen] in (["OK"], ["INITIALIZING", "OK"])
        tcs.none(STATUS, 1)
        for status in ("OK", "OK", "IMPAIRED", "IMPAIRED", "OK"):
            if status != seen[-1]["status"]:
                agent.end_containerd() if status == "IMPAIRED" else agent.start_containerd()
            acs.heartbeat(messageId="h")
            seen.append(runtime_status(tcs))
            assert seen[-1]["status"] == status
            assert seen[-1]["lastUpdated"] > seen[-2]["lastUpdated"]
            assert (seen[-1]["lastStatusChange"] != seen[-2]["lastStatusChange"]) == (status != seen[-2]["status"])
            tcs.none(STATUS, 1)  # more than two beats
    one_of_several(attempt, agent, peer)


def test_backoff(agent, peer):
    """acs-T18: 1 to 1.2 s are 250 to 300 ms at a scale of 4, then 500 to 600, then 1 to 1.2 s"""
    peer.tcs.refuse_all = (400, '{"InactiveInstanceException":"not looked at here"}')
    agent.start(BERTH_TIME_SCALE=4)
    attempts = peer.tcs.wait_attempts(4)
    gaps = [later[0] - earlier[0] for earlier, later in zip(attempts, attempts[1:])]
    for waited, (least, most) in zip(gaps[1:], ((0.5, 0.6), (1, 1.2))):
        assert least - 0.01 <= waited <= most + SLACK, gaps
