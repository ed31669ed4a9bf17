# SPDX-License-Identifier: Apache-2.0
"""Through a proxy that alone knows where the peer is; and whom TLS takes for the peer."""
import os
import ssl
import subprocess

import pytest

from proxy import NAME, Proxy


@pytest.fixture
def through(agent, peer):
    """Makes a proxy, the only way to the peer."""
    made = []

    def make(kind, user=None, scheme="http", name=NAME):
        proxy = Proxy(kind, user)
        made.append(proxy)
        peer.url = f"{scheme}://{name}:{peer.port}"
        agent.settings["ECS_BACKEND_HOST"] = peer.url
        agent.settings["HTTP_PROXY"] = f"{kind}://{user + '@' if user else ''}{proxy.place}"
        return proxy
    yield make
    for proxy in made:
        proxy.stop()


def certificate(directory, name):
    """Of this name, and who signed it is itself."""
    cert, key = os.path.join(directory, "cert.pem"), os.path.join(directory, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=berth-test", "-addext", f"subjectAltName=DNS:{name}", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return cert, context


@pytest.mark.parametrize("kind, user", [("http", None), ("http", "me:secret"), ("socks5", None), ("socks5", "me:secret")])
def test_api_and_sessions_go_through_the_proxy(agent, peer, through, kind, user):
    """The websockets, plain ones too, by CONNECT; the port is never left out."""
    proxy = through(kind, user)
    agent.start()
    acs, tcs = peer.acs.next(), peer.tcs.next()
    acs.heartbeat(messageId="h")
    assert acs.expect("HeartbeatAckRequest") == {"messageId": "h"}
    tcs.next(kind="PublishMetricsRequest")
    place = f"{NAME}:{peer.port}"
    assert acs.headers["host"] == tcs.headers["host"] == place
    assert {where for _, where in proxy.led} == {place}
    ways = [how for how, _ in proxy.led]
    assert ways.count("CONNECT" if kind == "http" else "SOCKS") >= 2
    assert kind != "http" or "POST" in ways
    if user:
        assert "secret" not in agent.text()


@pytest.mark.parametrize("answer, said", [
    (b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", "CONNECT was answered with 403"),
    (b"HTTP/1.1 200 OK\r\n\r\nand more", "it says more than its answer to CONNECT"),
    (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "its answer is not valid HTTP/1.1"),
    (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20000, "its answer is not valid HTTP/1.1"),
    (b"", "it has ended the connection"),
], ids=["refused", "more", "other protocol", "endless", "end"])
def test_what_a_proxy_answers_is_looked_at(agent, peer, through, answer, said):
    """And tried again: the next time it leads on."""
    proxy = through("http")
    proxy.refuse = answer or b"HTTP"
    agent.start()
    peer.wait_call("DiscoverPollEndpoint")
    agent.wait_text(said)
    assert f"through the proxy 127.0.0.1: {said}" in agent.text()
    proxy.refuse = None
    peer.acs.next()
    peer.tcs.next()


def test_the_peer_is_who_its_certificate_names(agent, peer, through, tmp_path):
    """API and both websockets, by TLS, with a port that is not the usual one."""
    cert, peer.tls = certificate(tmp_path, NAME)
    through("http", scheme="https")
    agent.start(BERTH_CA_FILE=cert)
    acs, tcs = peer.acs.next(), peer.tcs.next()
    acs.heartbeat(messageId="h")
    assert acs.expect("HeartbeatAckRequest") == {"messageId": "h"}
    tcs.next(kind="PublishMetricsRequest")
    assert acs.headers["host"] == f"{NAME}:{peer.port}"


def test_another_name_is_not_taken_by_the_api(agent, peer, through, tmp_path):
    cert, peer.tls = certificate(tmp_path, NAME)
    through("http", scheme="https", name="other.test")
    agent.start(BERTH_CA_FILE=cert)
    assert agent.wait() == 1
    assert "no alternative certificate subject name matches target host name 'other.test'" in agent.text()
    assert not peer.called("RegisterContainerInstance")


def test_another_name_is_not_taken_by_the_sessions(agent, peer, through, tmp_path):
    """The API is who it should be, and names endpoints that are not."""
    cert, peer.tls = certificate(tmp_path, NAME)
    through("http", scheme="https")
    peer.url = f"https://other.test:{peer.port}"
    agent.start(BERTH_CA_FILE=cert)
    peer.wait_call("DiscoverPollEndpoint")
    for session in ("ACS", "TCS"):
        agent.wait_text("hostname mismatch", f'session="{session}"')
    assert not peer.acs.attempts and not peer.tcs.attempts
