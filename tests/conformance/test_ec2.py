# SPDX-License-Identifier: Apache-2.0
"""The agent on an instance of EC2, or what it takes for one."""
import http.server
import sqlite3
import threading
import time

import pytest

import imds as metadata
import messages
import peer as peers

RCI = "RegisterContainerInstance"
STATE = "/latest/meta-data/autoscaling/target-lifecycle-state"
NOTICE = "/latest/meta-data/spot/instance-action"


@pytest.fixture
def imds(agent):
    service = metadata.Imds()
    agent.settings["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = service.url
    yield service
    service.stop()
    assert service.unasked_for == []


def registered(agent, peer, **settings):
    """The request of the registration that this start makes."""
    agent.start(**settings)
    peer.acs.next()
    return peer.called(RCI)[-1][2]


def attributes_of(body):
    return {attribute["name"]: attribute.get("value") for attribute in body["attributes"]}


def fact(agent, name):
    with sqlite3.connect(f"file:{agent.settings['ECS_DATADIR']}/agent.db?mode=ro", uri=True) as state:
        return (state.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone() or [None])[0]


def tasks(agent):
    with sqlite3.connect(f"file:{agent.settings['ECS_DATADIR']}/agent.db?mode=ro", uri=True) as state:
        return [row[0] for row in state.execute("SELECT id FROM task")]


def test_identity_and_network(agent, peer, imds):
    """cfg-R1 for what an instance of EC2 adds"""
    body = registered(agent, peer)
    assert body["instanceIdentityDocument"] == '{\n  "instanceId" : "i-07"\n}'
    assert body["instanceIdentityDocumentSignature"] == "QUJD\nREVG"
    attributes = attributes_of(body)
    assert (attributes["ecs.vpc-id"], attributes["ecs.subnet-id"]) == ("vpc-1", "subnet-1")
    assert "ecs.cpu-architecture" not in attributes and "ecs.outpost-arn" not in attributes
    # Everybody who needs a credential has it from the settings; nobody polls.
    asked = len(imds.asked)
    time.sleep(1.2)
    assert len(imds.asked) == asked
    assert fact(agent, "ec2-instance-id") == "i-07"


def test_another_instance(agent, peer, imds):
    """cfg-R14: with the state of another instance, of another cluster too, this one registers as a new one."""
    agent.start()
    acs = peer.acs.next()
    messages.payload(acs, "m1", messages.task("of-the-other"))
    messages.expect_ack(acs, "m1")
    agent.stop()
    assert tasks(agent) == ["of-the-other"]
    imds.files["/latest/meta-data/instance-id"] = "i-08"
    agent.settings["ECS_CLUSTER"] = "elsewhere"
    agent.settings["ECS_INSTANCE_ATTRIBUTES"] = '{"stack":"prod"}'
    body = registered(agent, peer)
    assert "containerInstanceArn" not in body and body["cluster"] == "elsewhere"
    assert attributes_of(body)["stack"] == "prod"
    assert "of another EC2 instance" in agent.text() and tasks(agent) == []
    assert fact(agent, "ec2-instance-id") == "i-08"
    agent.stop()
    # The same one again is the same one, also when nobody says so.
    imds.files["/latest/meta-data/instance-id"] = 404
    agent.settings["BERTH_TIME_SCALE"] = "100"
    assert registered(agent, peer)["containerInstanceArn"] == peers.INSTANCE
    assert fact(agent, "ec2-instance-id") == "i-08"


def test_no_network(agent, peer, imds):
    """cfg-R19, and its neighbours: what is missing decides; nobody there at all is an error too"""
    for path, code in (("/latest/meta-data/mac", 1), (f"{metadata.NETWORK}/vpc-id", 5), (f"{metadata.NETWORK}/subnet-id", 1)):
        good, imds.files[path] = imds.files[path], 404
        agent.start()
        assert agent.wait() == code
        assert agent.text().count(f"read instance metadata {path}: HTTP 404") == 1
        imds.files[path] = good
    agent.start(AWS_EC2_METADATA_SERVICE_ENDPOINT="http://127.0.0.1:1", BERTH_TIME_SCALE=1000)
    assert agent.wait() == 1
    assert peer.calls == []
    assert agent.text().count("BERTH_INSTANCE_METADATA=never") == 4


def test_external(agent, peer, imds):
    """cfg-R17"""
    agent.settings["ECS_EXTERNAL"] = "true"
    body = registered(agent, peer)
    attributes = attributes_of(body)
    assert body["instanceIdentityDocument"] == "" and body["instanceIdentityDocumentSignature"] == ""
    assert attributes["ecs.cpu-architecture"] in ("x86_64", "arm64")
    assert "ecs.capability.external" in attributes and "ecs.capability.container-ordering" in attributes
    for name in ("task-eni", "task-eni.ipv6", "cni-plugin-version", "aws-appmesh"):
        assert f"ecs.capability.{name}" not in attributes
    assert imds.asked == []
    agent.stop()
    # Told that there is no metadata, any other instance registers without as well.
    body = registered(agent, peer, ECS_EXTERNAL=None, BERTH_INSTANCE_METADATA="never")
    assert body["instanceIdentityDocument"] == "" and "ecs.vpc-id" not in attributes_of(body)
    assert "ecs.capability.task-eni" in attributes_of(body) and imds.asked == []


def test_warm_pool(agent, peer, imds):
    """cfg-R25: it registers when it is in service, and not before; without an answer it ends, and stays so."""
    imds.files[STATE] = ["Warmed:Stopped", "Warmed:Pending", "InService"]
    seen = []
    peer.before_answer = lambda operation: seen.append(list(imds.asked))
    agent.settings.update(ECS_WARM_POOLS_CHECK="true", BERTH_TIME_SCALE="1000")
    registered(agent, peer)
    assert seen[0].count(STATE) == 3
    agent.stop()
    calls = len(peer.calls)
    imds.files[STATE] = 403
    agent.start()
    assert agent.wait() == 5
    assert len(peer.calls) == calls
    assert "leaves its warm pool" in agent.text()


def test_spot(agent, peer, imds):
    """cfg-R34: once a second, one call; again when it fails; nothing of what is unknown"""
    imds.files[NOTICE] = ['{"action":"foo","time":"2026-01-02T03:04:05Z"}',
                          '{"action":"terminate","time":"2026-01-02T03:04:05Z"}']
    peer.refuse("UpdateContainerInstancesState", "ClientException")
    agent.settings["ECS_ENABLE_SPOT_INSTANCE_DRAINING"] = "true"
    registered(agent, peer)
    body = peer.wait_call("UpdateContainerInstancesState", count=2)
    assert body == {"cluster": "demo", "containerInstances": [peers.INSTANCE], "status": "DRAINING"}
    first, second = [call[0] for call in peer.called("UpdateContainerInstancesState")]
    assert second - first >= 0.9
    asked = imds.asked.count(NOTICE)
    assert asked == 3
    time.sleep(1.2)
    assert imds.asked.count(NOTICE) == asked and len(peer.called("UpdateContainerInstancesState")) == 2


class Ec2(http.server.BaseHTTPRequestHandler):
    """DescribeTags; what comes is kept, and its signature looked at."""

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(body.decode())
        self.server.authorizations.append(self.headers["Authorization"])
        status, text = self.server.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


TAGS = ('<DescribeTagsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><tagSet>'
        + "".join(f"<item><resourceId>i-07</resourceId><key>{key}</key><value>{value}</value></item>"
                  for key, value in (("a", 1), ("aws:x", 2), ("b", 3)))
        + "</tagSet></DescribeTagsResponse>")


@pytest.fixture
def ec2(agent):
    server = http.server.HTTPServer(("127.0.0.1", 0), Ec2)
    server.bodies, server.authorizations, server.answer = [], [], (200, TAGS)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    agent.settings["AWS_ENDPOINT_URL_EC2"] = f"http://127.0.0.1:{server.server_port}"
    agent.settings["ECS_CONTAINER_INSTANCE_PROPAGATE_TAGS_FROM"] = "ec2_instance"
    yield server
    server.shutdown()
    server.server_close()


def test_tags(agent, peer, imds, ec2):
    """cfg-R30"""
    agent.settings["ECS_CONTAINER_INSTANCE_TAGS"] = '{"a":"9"}'
    body = registered(agent, peer)
    assert {tag["key"]: tag["value"] for tag in body["tags"]} == {"a": "9", "b": "3"}
    assert len(ec2.bodies) == 1 and "Filter.1.Value.1=i-07" in ec2.bodies[0]
    assert f"/{peers.REGION}/ec2/aws4_request" in ec2.authorizations[0]
    agent.stop()
    calls = len(peer.calls)
    ec2.answer = (403, "<Response><Errors><Error><Code>UnauthorizedOperation</Code></Error></Errors></Response>")
    agent.start()
    assert agent.wait() == 1
    assert len(peer.calls) == calls and "UnauthorizedOperation" in agent.text()
