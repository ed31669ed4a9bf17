# SPDX-License-Identifier: Apache-2.0
"""Who a control plane is, and what time it has."""
import email.utils
import json
import re
import time

import pytest

from hostile import Authority, Sturdy, TlsFront, peer  # noqa: F401  (a fixture among them)

HOUR = 3600
CERTIFICATES = {
    "another name": ({"name": "DNS:elsewhere.invalid"}, "localhost|hostname mismatch|does not match"),
    "the name with the port": ({"name": "DNS:localhost.51678"}, "localhost|hostname mismatch|does not match"),
    "expired": ({"name": "DNS:localhost", "days": -1}, "expired"),
    "its own authority": ({"name": "DNS:localhost", "self_signed": True}, "self.signed"),
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(str(tmp_path_factory.mktemp("authority")))


@pytest.fixture
def front(peer, authority):
    """front(certificate): TLS before the peer, from a port of its own; the name in the certificate has none."""
    fronts = []

    def make(**certificate):
        fronts.append(TlsFront(peer, authority.context(**certificate)))
        return fronts[-1]
    yield make
    for made in fronts:
        made.stop()


@pytest.mark.parametrize("what", CERTIFICATES)
def test_a_wrong_certificate(agent, peer, front, authority, what):
    """Nothing is said to such a control plane: neither a call nor a handshake; whatever the right one says of endpoints."""
    certificate, why = CERTIFICATES[what]
    wrong = front(**certificate)
    agent.start(ECS_BACKEND_HOST=wrong.url, BERTH_CA_FILE=authority.file, BERTH_TIME_SCALE=60)
    assert agent.wait() == 1
    assert re.search(why, agent.text().splitlines()[-1], re.IGNORECASE), agent.text().splitlines()[-1]
    assert peer.calls == [] and wrong.came

    right = front(name="DNS:localhost")
    peer.answers["DiscoverPollEndpoint"] = lambda body: (200, {"endpoint": wrong.url, "telemetryEndpoint": wrong.url})
    came = wrong.came
    agent.start(ECS_BACKEND_HOST=right.url)
    pytest.wait_until(lambda: wrong.came >= came + 4, what="some attempts of both sessions")
    assert peer.acs.attempts == peer.tcs.attempts == [] and wrong.said == 0 and agent.is_running()
    ends = [line for line in agent.text().splitlines() if "The session ended" in line]
    assert ends and all(re.search(why, line, re.IGNORECASE) for line in ends)

    # With the right certificate it is the same session as ever.
    peer.answers["DiscoverPollEndpoint"] = lambda body: (200, {"endpoint": right.url, "telemetryEndpoint": right.url})
    agent.stop()
    Sturdy(agent.start(), peer).goes_on()


class Clock:
    """A control plane whose clock is another, and that refuses what was signed by the agent's."""

    def __init__(self, peer, ahead):
        self.peer, self.ahead, self.refused = peer, ahead, {}
        self.call, self.upgrade = peer._call, peer._upgrade
        peer._call, peer._upgrade = self._call, self._upgrade

    def is_off(self, headers):
        signed = time.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
        return abs(time.mktime((*signed[:8], 0)) - time.timezone - time.time() - self.ahead) > 300

    def _answer(self, sock, what, name):
        self.refused[what] = self.refused.get(what, 0) + 1
        body = json.dumps({"__type": name, "message": "Signature expired or not yet current"}).encode()
        sock.sendall(b"HTTP/1.1 400 x\r\nDate: %s\r\nContent-Length: %d\r\n\r\n" % (self._date(), len(body)) + body)

    def _date(self):
        return email.utils.formatdate(time.time() + self.ahead, usegmt=True).encode()

    def _call(self, sock, path, headers, body):
        if self.is_off(headers):
            self._answer(sock, headers["x-amz-target"].split(".")[1], "InvalidSignatureException")
        else:
            self.call(sock, path, headers, body)

    def _upgrade(self, sock, target, headers):
        if self.is_off(headers):
            self._answer(sock, "ACS" if "clusterArn=" in target else "TCS", "AccessDeniedException")
        else:
            self.upgrade(sock, target, headers)


@pytest.mark.parametrize("ahead", [HOUR, -HOUR])
def test_a_clock_that_is_an_hour_off(agent, peer, ahead):
    """One refusal is enough to learn of it; calls, sessions and what is published are signed with the time that is wanted."""
    clock = Clock(peer, ahead)
    sturdy = Sturdy(agent.start(BERTH_TIME_SCALE=60), peer)
    message = None
    tcs = peer.tcs.next()
    while message is None or message["type"] != "PublishMetricsRequest":
        message = tcs.next()
    sturdy.goes_on()
    assert clock.refused == {"RegisterContainerInstance": 1}
