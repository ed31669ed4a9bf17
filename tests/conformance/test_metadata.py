# SPDX-License-Identifier: Apache-2.0
"""The metadata endpoint as a server: its bounds, and what it says to those that break the rules of HTTP."""
import json
import socket
import threading
import time

import pytest

from messages import of_task, payload, task
from tests.lab.processes import free_port

ROLES = {"roleCredentials": "r", "executionRoleCredentials": "x"}


def credentials(credentials_id):
    return {"credentialsId": credentials_id, "roleArn": f"arn:aws:iam::111122223333:role/{credentials_id}", "accessKeyId": "AK",
            "secretAccessKey": "SK", "sessionToken": "T", "expiration": "2026-11-20T10:27:26Z"}


@pytest.fixture
def serving(agent, peer):
    agent.start(BERTH_METADATA_PORT=free_port(), ECS_TASK_METADATA_RPS_LIMIT="1,60")
    return agent, peer.acs.next()


def say(agent, text):
    """The connection, after something was said on it."""
    connection = socket.create_connection(("127.0.0.1", agent.settings["BERTH_METADATA_PORT"]), timeout=60)
    connection.sendall(text)
    return connection


def answers_until_the_end(connection):
    """All that comes until the other end closes."""
    said = b""
    while (part := connection.recv(65536)):
        said += part
    connection.close()
    return said.decode()


def test_requests_beyond_the_burst_are_refused(serving):
    """tmds-10: a hundred at once; sixty are the burst, and one more each second is let through"""
    agent, _ = serving
    answers = []

    def ask():
        answers.append(agent.metadata("/nosuch"))
    began = time.monotonic()
    threads = [threading.Thread(target=ask) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - began
    assert len(answers) == 100
    refused = [body for status, body in answers if status == 429]
    assert 60 <= [status for status, _ in answers].count(404) <= 60 + took + 1
    assert len(refused) == 100 - [status for status, _ in answers].count(404) > 0
    assert set(refused) == {"You have reached maximum request limit."}


def test_the_burst_is_sixty_by_itself(agent, peer):
    """tmds-13: a limit that makes no sense is none"""
    agent.start(BERTH_METADATA_PORT=free_port(), ECS_TASK_METADATA_RPS_LIMIT="5,0")
    peer.acs.next()
    said = answers_until_the_end(say(agent, b"GET /nosuch HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"))
    assert "X-Rate-Limit-Limit: 40.00\r\n" in said


def test_a_request_must_name_its_host(serving):
    """tmds-14"""
    agent, _ = serving
    said = answers_until_the_end(say(agent, b"GET /nosuch HTTP/1.1\r\n\r\n"))
    assert said.startswith("HTTP/1.1 400 Bad Request\r\n")
    assert "Host header is missing" in said
    # Before HTTP/1.1 there was none.
    assert answers_until_the_end(say(agent, b"GET /nosuch HTTP/1.0\r\n\r\n")).startswith("HTTP/1.1 404 ")


@pytest.mark.parametrize("head", [
    pytest.param(b"GET /nosuch HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 9000 + b"\r\n\r\n", id="a long field"),
    pytest.param(b"GET /nosuch HTTP/1.1\r\nHost: h\r\n" + b"X: x\r\n" * 3000, id="fields without end"),
    pytest.param(b"GET /" + b"x" * 9000, id="a line without end"),
])
def test_a_head_has_a_bound(serving, head):
    """tmds-15: also one that never ends; the connection is closed, and others go on"""
    agent, _ = serving
    assert answers_until_the_end(say(agent, head)).startswith("HTTP/1.1 431 ")
    assert agent.metadata("/nosuch")[0] == 404


def test_idle_connections_are_closed(serving):
    """tmds-16: after 5 s, whether a request came before or only part of one"""
    agent, _ = serving
    began = time.monotonic()
    connections = [say(agent, text) for text in
                   (b"GET /nosuch HTTP/1.1\r\nHost: h\r\n\r\n", b"GET /nosuch HTTP/1.1\r\nHo", b"")]
    said = [answers_until_the_end(connection) for connection in connections]
    assert time.monotonic() - began >= 4.9
    assert said[0].startswith("HTTP/1.1 404 ") and "Connection: close" not in said[0]
    assert said[1:] == ["", ""]


def test_credentials_of_both_roles(serving, peer):
    """tmds-29, tmds-30, tmds-31, acs-M18: the execution role's are given out as the task role's are, and after the task's end"""
    agent, acs = serving
    payload(acs, "m1", task("t1", **{member: credentials(name) for member, name in ROLES.items()}))
    assert sorted(acs.next()["type"] for _ in range(3)) == ["AckRequest"] + 2 * ["IAMRoleCredentialsAckRequest"]
    for name in ROLES.values():
        status, body = agent.metadata(f"/v2/credentials/{name}")
        assert status == 200
        assert json.loads(body) == {"RoleArn": f"arn:aws:iam::111122223333:role/{name}", "AccessKeyId": "AK",
                                    "SecretAccessKey": "SK", "Token": "T", "Expiration": "2026-11-20T10:27:26Z"}
    assert agent.metadata("/v2/credentials/another")[0] == 400
    payload(acs, "m2", task("t1", desired="STOPPED"), seq=2)
    peer.wait_call("SubmitTaskStateChange", match=of_task("t1", "STOPPED"))
    assert [agent.metadata(f"/v2/credentials/{name}")[0] for name in ROLES.values()] == [400, 200]
