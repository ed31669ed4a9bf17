# SPDX-License-Identifier: Apache-2.0
"""State submission, with tasks that stop before they start."""
import threading
import time

import pytest

from messages import expect_ack, of_task, payload, task

SLACK = 5.0  # of a busy machine
SUBMIT = "SubmitTaskStateChange"


def stop(acs, message_id, *names):
    payload(acs, message_id, *(task(name, desired="STOPPED") for name in names))
    expect_ack(acs, message_id)


def times(peer, match):
    return [call[0] for call in peer.called(SUBMIT) if match(call[2])]


def test_each_status_once(connected, peer):
    _, acs = connected
    stop(acs, "m1", "t1")
    body = peer.wait_call(SUBMIT, match=of_task("t1", "STOPPED"))
    assert body["cluster"] == "demo" and "reason" in body
    acs.silent(0.5)
    assert len(peer.called(SUBMIT)) == 1


def test_a_container_that_names_no_image_stops_its_task(connected, peer):
    _, acs = connected
    payload(acs, "m1", task("t1", container={"image": None}))
    expect_ack(acs, "m1")
    body = peer.wait_call(SUBMIT, match=of_task("t1", "STOPPED"))
    assert "invalid reference format" in body["containers"][0]["reason"]


def test_invalid_parameter_is_not_repeated(connected, peer):
    """acs-S5, for the last status: it is left out"""
    _, acs = connected
    peer.refuse(SUBMIT, "InvalidParameterException")
    stop(acs, "m1", "t1")
    peer.wait_call(SUBMIT)
    acs.silent(1.6)
    assert len(peer.called(SUBMIT)) == 1


def test_access_denied_is_repeated(connected, peer):
    """acs-S6: 1 to 1.2 s, then 1.3 to 1.56 s; other tasks go on"""
    _, acs = connected
    refused = []

    def refuse_twice(body):
        if len(refused) < 2 and of_task("t1")(body):
            refused.append(body)
            return 400, {"__type": "AccessDeniedException", "message": "no"}
        return 200, {}

    peer.answers[SUBMIT] = refuse_twice
    stop(acs, "m1", "t1")
    peer.wait_call(SUBMIT)
    stop(acs, "m2", "t2")
    peer.wait_call(SUBMIT, count=3, match=of_task("t1", "STOPPED"))
    first, second, third = times(peer, of_task("t1"))
    assert 0.99 <= second - first <= 1.2 + SLACK
    assert 1.29 <= third - second <= 1.56 + SLACK
    other, = times(peer, of_task("t2", "STOPPED"))
    assert first < other < third, "it does not wait behind the one that is refused"


def test_server_errors_are_repeated_within_the_call(connected, peer):
    """acs-S7: 60 to 118 ms, 120 to 236, 240 to 472"""
    _, acs = connected
    peer.refuse(SUBMIT, "ServerException", status=500, times=3)
    stop(acs, "m1", "t1")
    peer.wait_call(SUBMIT, count=4)
    at = times(peer, of_task("t1"))
    for earlier, later, (least, most) in zip(at, at[1:], ((0.06, 0.118), (0.12, 0.236), (0.24, 0.472))):
        assert least - 0.005 <= later - earlier <= most + SLACK
    bodies = [call[2] for call in peer.called(SUBMIT)]
    assert all(body == bodies[0] for body in bodies)


def test_a_lost_answer_is_asked_for_again(connected, peer):
    """acs-S8: the connection breaks after the call was taken; the same call comes again"""
    _, acs = connected
    broken = []

    def break_first(body):
        if not broken:
            broken.append(body)
            raise OSError("the connection breaks here")
        return 200, {}

    peer.answers[SUBMIT] = break_first
    stop(acs, "m1", "t1")
    body = peer.wait_call(SUBMIT, match=of_task("t1", "STOPPED"))
    assert broken == [body]


def test_reports_survive_a_restart(connected, peer):
    """acs-S11: what was not accepted is reported after the restart"""
    agent, acs = connected
    peer.answers[SUBMIT] = lambda body: (400, {"__type": "AccessDeniedException"})
    stop(acs, "m1", "t1")
    peer.wait_call(SUBMIT)
    agent.stop()
    del peer.answers[SUBMIT]
    before = len(peer.called(SUBMIT))
    agent.start()
    acs = peer.acs.next()
    peer.wait_call(SUBMIT, count=before + 1)
    acs.silent(0.5)
    assert len(peer.called(SUBMIT)) == before + 1
    assert of_task("t1", "STOPPED")(peer.called(SUBMIT)[-1][2])


def test_at_most_ten_calls_at_once(connected, peer):
    """acs-S12"""
    _, acs = connected
    go = threading.Event()
    under_way = []

    def stall(operation):
        if operation == SUBMIT:
            under_way.append(operation)
            go.wait(60)

    peer.before_answer = stall
    stop(acs, "m1", *(f"t{number}" for number in range(12)))
    pytest.wait_until(lambda: len(under_way) >= 10, what="ten calls")
    time.sleep(0.3)  # an eleventh would come now
    most = len(under_way)
    go.set()
    peer.wait_call(SUBMIT, count=12)
    assert most == 10
