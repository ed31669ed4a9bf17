# SPDX-License-Identifier: Apache-2.0
"""HTTP answers, to calls and to handshakes, of a control plane that is broken or means harm."""
import base64
import gzip
import hashlib
import json

import pytest

import peer as peers
from hostile import Sturdy, Trap, byte_by_byte, cut, endless, http, peer, says, sturdy  # noqa: F401  (fixtures among them)
from messages import of_task, payload, task

RCI, DPE, SUBMIT = "RegisterContainerInstance", "DiscoverPollEndpoint", "SubmitTaskStateChange"
LIMIT = 4 << 20  # of a body
DEEP = 100_000
ENDPOINTS = json.dumps({"endpoint": "http://127.0.0.1:1", "telemetryEndpoint": "http://127.0.0.1:1"}).encode()


def statuses(trap):
    """Where the trap is named, nobody may go."""
    to_trap = b"Location: %s/" % trap.url.encode()
    return ([says(http(status, ENDPOINTS, [to_trap])) for status in (301, 302, 303, 307, 308)] +
            [says(http(status)) for status in (204, 304, 400, 404, 413, 429, 500, 502, 503, 504, 599, 999)])


def bodies():
    return [
        says(http(200)),
        says(http(200, b"<html>It works!</html>")),
        says(http(200, ENDPOINTS[:30])),
        says(http(200, ENDPOINTS + b"}")),
        says(http(200, b'{"endpoint":"\xff\xfe"}')),
        says(http(200, b'{"endpoint":["x"],"telemetryEndpoint":5}')),
        says(http(200, b"[" * DEEP)),
        says(http(200, b'{"endpoint":' + b"[" * DEEP + b"]" * DEEP + b"}")),
        says(http(200, gzip.compress(ENDPOINTS), [b"Content-Encoding: gzip"])),
        says(http(200, gzip.compress(b"x" * (64 << 20), 1), [b"Content-Encoding: gzip"])),
        says(http(200, b"x" * (LIMIT + 1))),
        says(http(500, b"x" * (LIMIT + 1))),
    ]


def heads():
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return [
        says(b""), says(b"", "reset"), says(b"\0" * 100), says(b"SSH-2.0-OpenSSH_9.2\r\n"), says(ENDPOINTS),
        says(b"HTTP/1.1 2\r\n\r\n"), says(b"HTTP/9.9 200 OK\r\n\r\n"), says(b"HTTP/1.1 101 x\r\n\r\n"),
        says(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        says(http(200, ENDPOINTS, length=len(ENDPOINTS) + 1)),
        says(http(200, b"", length=1 << 62)),
        says(http(200, ENDPOINTS, [b"Content-Length: -1"])),
        says(chunked + b"ffffffffffffffffff\r\nx"), says(chunked + b"zz\r\n"), says(chunked + b"5\r\nab"),
        says(b"HTTP/1.1 200 OK\r\nX: " + b"x" * (1 << 20) + b"\r\n\r\n"),
    ]


def floods():
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    return [
        endless(b"HTTP/1.1 200 OK\r\n", b"X-Header: x\r\n" * 1000),
        endless(b"HTTP/1.1 200 OK\r\n", b"x" * 65536),
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
        endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536),
        endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunk),
    ]


# Few at a time: the waits between attempts grow.
KINDS = {"redirects": lambda trap: statuses(trap)[:8], "statuses": lambda trap: statuses(trap)[8:], "bodies": lambda _: bodies(),
         "heads": lambda _: heads()[:8], "lengths": lambda _: heads()[8:], "floods": lambda _: floods()}


@pytest.fixture
def trap():
    trap = Trap()
    yield trap
    trap.server.close()
    assert trap.came == 0, "a redirect is not followed: what is signed is for nobody else"


def all_used(peer, what, ways):
    pytest.wait_until(lambda: [way for name, way in peer.used if name == what] == ways, what=f"each answer to {what}")
    assert not any(getattr(way, "all_sent", False) for way in ways), "the agent has read what does not end"


@pytest.mark.parametrize("kind", KINDS)
def test_discovery(agent, peer, trap, kind):
    """Each is an attempt that failed; after the last one there is a session."""
    ways = KINDS[kind](trap)
    peer.ways[DPE] = list(ways)
    sturdy = Sturdy(agent.start(BERTH_TIME_SCALE=60), peer)
    all_used(peer, DPE, ways)
    sturdy.goes_on()
    assert "accept-encoding" not in peer.called(DPE)[0][3]


def refused(head, then="close"):
    return says(b"HTTP/1.1 101 Switching Protocols\r\n" + head + b"\r\n", then)


def with_accept(accept, more=b""):
    return b"Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n" + more


def wrong_accept():
    return base64.b64encode(hashlib.sha1(b"of another").digest())


HANDSHAKES = {
    **KINDS,
    "upgrades": lambda _: [
        refused(b""), refused(with_accept(b"")), refused(with_accept(wrong_accept())),
        says(http(200, b"x", [b"Upgrade: websocket", b"Connection: upgrade"])),
        refused(with_accept(wrong_accept(), b"Sec-WebSocket-Extensions: permessage-deflate\r\n")),
        says(b"HTTP/1.0 101 Switching Protocols\r\n" + with_accept(wrong_accept()) + b"\r\n"),
        cut(20), cut(20, "reset"), cut(-1), cut(-1, "reset"), cut(-2), cut(1),
    ],
    "refusals": lambda _: [
        endless(b"HTTP/1.1 403 x\r\nContent-Length: 1000000000\r\n\r\n", b"x" * 65536),
        endless(b"HTTP/1.1 403 x\r\n\r\n", b"InactiveInstance" * 4096),
        endless(b"HTTP/1.1 403 x\r\nTransfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n"),
        endless(b"HTTP/1.1 403 x\r\nTransfer-Encoding: chunked\r\n\r\n", b"0" * 65536),
    ],
}


@pytest.mark.parametrize("kind", HANDSHAKES)
def test_handshakes(agent, peer, trap, kind):
    """Each is an attempt that failed; the last one opens a session, although its answer comes byte by byte."""
    ways = [*HANDSHAKES[kind](trap), byte_by_byte()]
    peer.ways["ACS"] = list(ways)
    sturdy = Sturdy(agent.start(BERTH_TIME_SCALE=60), peer)
    all_used(peer, "ACS", ways)
    sturdy.goes_on()


def test_garbage_after_the_handshake(agent, peer):
    """What comes in the same segment as the handshake's answer is read as frames."""
    def with_garbage(sock, answer):
        sock.sendall(answer + b"HTTP/1.1 200 OK\r\n\r\n")
    peer.ways["ACS"] = [with_garbage]
    agent.start(BERTH_TIME_SCALE=60)
    assert peer.acs.next().wait_closed().code in (1002, None)
    Sturdy(agent, peer).goes_on()


@pytest.mark.parametrize("ways", [
    [cut(0), cut(1, "reset")], [cut(12), cut(17, "reset")], [cut(40), cut(-900, "reset")], [cut(-200), cut(-1, "reset")],
    [says(http(status, b'{"__type":"ServerException"}')) for status in (500, 503)] * 4,
], ids=["start", "status", "head", "body", "storm"])
def test_a_registration_that_is_cut(agent, peer, ways):
    """Wherever the answer is cut the same call is made again; then it comes, byte by byte."""
    ways = [*ways, byte_by_byte()]
    peer.ways[RCI] = list(ways)
    sturdy = Sturdy(agent.start(BERTH_TIME_SCALE=60), peer)
    all_used(peer, RCI, ways)
    assert len({json.dumps(call[2], sort_keys=True) for call in peer.called(RCI)}) == 1
    sturdy.goes_on()


NONSENSE = {
    "a redirect": lambda trap: http(302, b"", [b"Location: %s/" % trap.url.encode()]),
    "a page": lambda _: http(200, b"<html>It works!</html>"),
    "nothing": lambda _: http(200),
    "wrong types": lambda _: http(200, b'{"containerInstance":{"containerInstanceArn":["x"],"attributes":5}}'),
    "no instance": lambda _: http(200, b'{"containerInstance":null}'),
    "depth": lambda _: http(200, b'{"containerInstance":' + b"[" * DEEP),
    "compression": lambda _: http(200, gzip.compress(b"{}"), [b"Content-Encoding: gzip"]),
    "too much": lambda _: http(200, b" " * (LIMIT + 1)),
}


@pytest.mark.parametrize("what", NONSENSE)
def test_a_registration_that_is_nonsense(agent, peer, trap, what):
    """It ends in order, with a sentence; nothing else is asked."""
    peer.every_way[RCI] = says(NONSENSE[what](trap))
    agent.start(BERTH_TIME_SCALE=1000)
    assert agent.wait() == 1
    assert "cannot be registered" in agent.text().splitlines()[-1]
    assert {call[1] for call in peer.calls} == {RCI}
    agent.code = None


def test_a_storm_of_server_errors(sturdy, peer):
    """The report arrives in the end, once."""
    ways = [says(http(status, b"<html>", [b"Connection: close"])) for status in (500, 502, 503, 504) * 2]
    peer.ways[SUBMIT] = list(ways)
    payload(sturdy.acs, "storm", task("storm", desired="STOPPED"), seq=5)
    peer.wait_call(SUBMIT, count=len(ways) + 1, match=of_task("storm", "STOPPED"))
    sturdy.goes_on()
    assert len([call for call in peer.called(SUBMIT) if of_task("storm")(call[2])]) == len(ways) + 1
