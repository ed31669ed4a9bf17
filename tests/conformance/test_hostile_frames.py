# SPDX-License-Identifier: Apache-2.0
"""Frames of a control plane that is broken or means harm. After each the agent is the same process and takes tasks."""
import json
import struct
import threading
import time

import pytest

from hostile import peer, sturdy, vanish  # noqa: F401  (fixtures)
from messages import ack, envelope, of_task, one_of_several, task

LIMIT = 4 << 20  # of one message
DEEP = 100_000


def frame(data, opcode=1, fin=True, size=None, flags=0, mask=b""):
    """`size`: what the head says, whatever is true."""
    size = len(data) if size is None else size
    head, bit = bytes([(0x80 if fin else 0) | flags | opcode]), 0x80 if mask else 0
    if size < 126:
        head += bytes([bit | size])
    elif size < 65536:
        head += bytes([bit | 126]) + struct.pack("!H", size)
    else:
        head += bytes([bit | 127]) + struct.pack("!Q", size)
    return head + mask + data


def heartbeat(mark, more=""):
    return json.dumps({"type": "HeartbeatMessage", "message": {"messageId": mark, **({"x": more} if more else {})}}).encode()


def stopping(name, message_id="m"):
    return json.dumps({"type": "PayloadMessage",
                       "message": envelope(message_id, seqNum=3, tasks=[task(name, desired="STOPPED")])}).encode()


def expect(acs, kind, message):
    assert acs.next(kind=kind)["message"] == message


def test_a_payload_cut_at_every_byte(sturdy):
    """Head and all, over two segments."""
    whole = frame(stopping("t1"))
    acs = sturdy.acs
    for at in range(1, len(whole)):
        with acs.lock:
            acs.sock.sendall(whole[:at])
            time.sleep(0.0003)
            acs.sock.sendall(whole[at:])
        expect(acs, "AckRequest", ack("m"))
    assert acs.closed is None
    sturdy.goes_on()


def test_a_connection_that_ends_at_every_byte(sturdy):
    """Within the head, the text, and right after it: in turn by FIN, which brings it back at once, and by RST."""
    whole = frame(b'{"type":"HeartbeatMessage","message":{}}')
    for at in range(len(whole) + 1):
        acs = sturdy.acs
        with acs.lock:
            acs.sock.sendall(whole[:at])
            if at % 2:
                acs.fin()
            else:
                acs.reset()
        sturdy.session()
    sturdy.goes_on()


LIES = {
    "more than comes": frame(b"x" * 10, size=3000),
    "less than comes": frame(heartbeat("h"), size=7),
    "nothing": frame(heartbeat("h"), size=0),
    "a gigabyte": frame(b"{", size=1 << 30),
    "all that there is": frame(b"{", size=(1 << 63) - 1),
    "less than nothing": frame(b"{", size=1 << 63),
    "one byte over the limit": frame(b"{", size=LIMIT + 1),
    "a long ping": frame(b"x" * 200, opcode=9),
    "a ping in parts": frame(b"x", opcode=9, fin=False),
    "a mask": frame(b"x", mask=b"abcd"),
    "a reserved bit": frame(b"x", flags=0x40),
    "an unknown type": frame(b"x", opcode=3),
    "a part of nothing": frame(b"x", opcode=0),
    "two beginnings": frame(b"x", fin=False) + frame(b"x"),
    "a close of one byte": frame(b"x", opcode=8),
    "a close with a code that is none": frame(struct.pack("!H", 999), opcode=8),
    "a close whose reason is no text": frame(struct.pack("!H", 1000) + b"\xff", opcode=8),
}


def test_heads_that_lie(sturdy):
    """Each ends its session, and no other."""
    for number, (lie, data) in enumerate(LIES.items()):
        acs = sturdy.acs
        with acs.lock:
            acs.sock.sendall(data)
        # "more than comes" swallows what keeps the session alive, and then is no frame.
        closed = acs.wait_closed()
        assert closed.code in (1002, 1009, None), lie
        if number % 4 < 3:
            sturdy.session()
        else:
            sturdy.again()
    sturdy.goes_on()


def test_oversized_messages(sturdy):
    """Up to the limit a message is read; beyond it nothing is kept, in one frame or in many."""
    acs = sturdy.acs
    room = LIMIT - len(heartbeat("h", "x")) + 1
    acs.send(heartbeat("h", "x" * room))
    expect(acs, "HeartbeatAckRequest", {"messageId": "h"})
    for opcode, part in ((1, heartbeat("h", "x" * (room + 1))), (1, b"x" * (LIMIT // 3))):
        acs = sturdy.acs
        with acs.lock:
            try:
                for _ in range(12):  # the first one alone is too much, or four of the second
                    acs.sock.sendall(frame(part, opcode=opcode, fin=False))
                    opcode = 0
            except OSError:
                pass
        closed = acs.wait_closed()
        assert closed.code in (1009, None)
        sturdy.session()
    sturdy.goes_on()


def nested(opening, closing, depth=DEEP):
    return opening * depth + closing * depth


NESTED = {
    "lists": nested("[", "]"),
    "objects": nested('{"a":', "}").replace('"a":}', '"a":1}', 1),
    "lists that do not end": "[" * DEEP,
    "type": '{"type":%s,"message":{}}' % nested("[", "]"),
    "message": '{"type":"PayloadMessage","message":%s}' % nested("[", "]"),
    "an unknown member": '{"type":"HeartbeatMessage","message":{"messageId":"deep","new":%s}}' % nested("[", "]"),
    "a member of a task": '{"type":"PayloadMessage","message":{"messageId":"deep","clusterArn":"c","containerInstanceArn":"i",'
                          '"tasks":[{"arn":"a","containers":[{"name":%s}]}]}}' % nested("[", "]"),
}


def test_nested_messages(sturdy):
    """They are dropped; the session goes on."""
    for text in NESTED.values():
        sturdy.acs.send(text)
    sturdy.acs.heartbeat(messageId="after")
    expect(sturdy.acs, "HeartbeatAckRequest", {"messageId": "after"})
    assert sturdy.acs.closed is None
    sturdy.goes_on()


@pytest.mark.parametrize("member", ["dockerConfig.config", "dockerConfig.hostConfig", "overrides"])
def test_texts_that_are_nested_json(sturdy, peer, member):
    """JSON within a text of JSON: the task ends with a reason."""
    container = {}
    name, _, inner = member.partition(".")
    container[name] = {inner: nested('{"a":', "}")} if inner else nested('{"a":', "}")
    sturdy.acs.say("PayloadMessage", envelope("m", seqNum=3, tasks=[task("deep", container=container)]))
    body = peer.wait_call("SubmitTaskStateChange", match=of_task("deep", "STOPPED"))
    assert body["reason"] or body["containers"][0]["reason"]
    sturdy.goes_on()


def test_slow_messages(sturdy):
    """A byte now and then makes a message, as long as something else is heard; bytes alone are no sign of life."""
    acs = sturdy.acs
    whole = frame(heartbeat("slow"))
    with acs.lock:
        for at in range(len(whole)):
            acs.sock.sendall(whole[at:at + 1])
            time.sleep(0.01)
    expect(acs, "HeartbeatAckRequest", {"messageId": "slow"})

    def attempt():
        acs = sturdy.acs
        begun = time.monotonic()
        with acs.lock:
            acs.sock.sendall(frame(b"", size=65535))
            while acs.closed is None:
                try:
                    acs.sock.sendall(b"x")
                except OSError:
                    break
                time.sleep(0.05)
        lasted = acs.wait_closed() and acs.ended_at - begun
        sturdy.session()
        assert lasted < 2.8, "the deadline for reading would end it after three seconds"
    one_of_several(attempt)
    sturdy.goes_on()


def test_a_peer_that_vanishes(sturdy, peer):
    """Neither FIN nor RST: silence alone ends the session."""
    vanish(sturdy.acs)
    attempts = len(peer.acs.attempts)
    begun = time.monotonic()
    sturdy.session()
    assert time.monotonic() - begun > 0.5 and len(peer.acs.attempts) == attempts + 1
    sturdy.goes_on()


class Reluctant(list):
    """Pongs of which only the first is taken."""

    def __init__(self):
        super().__init__()
        self.go = threading.Event()

    def append(self, pong):
        super().append(pong)
        self.go.wait()


def test_a_peer_that_does_not_read(sturdy):
    """What it asks is answered until too many answers wait; then its session ends."""
    acs = sturdy.acs
    acs.pongs = Reluctant()
    pings = frame(b"x" * 125, opcode=9) * 1000
    with acs.lock:
        with pytest.raises(OSError):
            for _ in range(600):  # 76 MB, were they all taken
                acs.sock.sendall(pings)
    acs.pongs.go.set()
    sturdy.session()
    sturdy.goes_on()
