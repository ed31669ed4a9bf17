# SPDX-License-Identifier: Apache-2.0
"""App Mesh: a task's connections go through a proxy that runs in it, whatever its programs know of that."""
import json
import os
import socket

from tests.e2e.test_first_task import WEB, address, get, shared
from tests.lab.berth import wait_for

NOWHERE = "203.0.113.9"  # kept for documentation: there is no such host
PROXY_UID = "1337"


def proxy_configuration(**properties):
    return {"type": "APPMESH", "containerName": "proxy",
            "properties": [{"name": name, "value": value} for name, value in properties.items()]}


def first_bytes(host, port):
    """What a server says by itself to whoever connects."""
    def once():
        with socket.create_connection((host, port), 5) as connection:
            return connection.recv(64).decode()
    return wait_for(f"a word of {host}:{port}", once)


def test_connections_of_the_application_go_through_the_proxy(host):
    """Registered by the real client. The proxy itself (by its user) reaches the real server; the application, which asks an
    address that does not exist, gets that server's answer. What comes in for an application port meets the proxy first."""
    web = host.run(host.define("web", [{"image": host.image, "command": WEB}]))[0]
    server = address(host.wait_ready(web))
    assert get(f"http://{server}/") == "hello from berth\n"
    out, given, definition = shared(host, "out")
    proxy = (f"trap 'exit 0' TERM; nc -ll -p 15000 -e printf 'the proxy, inbound' & nc -ll -p 15001 -e nc {server} 80 & "
             "while :; do sleep 0.1; done")
    app = ("trap 'exit 42' TERM; httpd -p 80 -h /www; httpd -p 8080 -h /www; "
           f"until wget -q -O /out/page.new http://{NOWHERE}/; do sleep 0.1; done; busybox mv /out/page.new /out/page; "
           "wget -q -O /out/metadata.new $ECS_CONTAINER_METADATA_URI_V4 && busybox mv /out/metadata.new /out/metadata; "
           "while :; do sleep 0.1; done")
    usual = {"image": host.image, "essential": True, "memory": 64, "cpu": 10}
    registered = host.control.aws(
        "register-task-definition", "--family", "mesh", "--network-mode", "awsvpc",
        "--volumes", json.dumps(definition["volumes"]),
        "--proxy-configuration", json.dumps(proxy_configuration(
            IgnoredUID=PROXY_UID, ProxyIngressPort="15000", ProxyEgressPort="15001", AppPorts="80,9090",
            EgressIgnoredIPs="169.254.170.2,169.254.169.254")),
        "--container-definitions", json.dumps([
            dict(usual, name="proxy", user=PROXY_UID, command=["sh", "-c", proxy]),
            dict(usual, **given, name="app", command=["sh", "-c", app],
                 dependsOn=[{"containerName": "proxy", "condition": "START"}])]))
    assert "ecs.capability.aws-appmesh" in [found["name"] for found in registered["taskDefinition"]["requiresAttributes"]]
    assert registered["taskDefinition"]["proxyConfiguration"]["containerName"] == "proxy"

    arn = host.run("mesh")[0]
    task = host.wait_ready(arn)
    wait_for("the application's answers", lambda: os.path.exists(os.path.join(out, "metadata")))
    with open(os.path.join(out, "page")) as page, open(os.path.join(out, "metadata")) as metadata:
        assert page.read() == "hello from berth\n"
        assert json.load(metadata)["Name"] == "app", "the metadata endpoint is not asked by way of the proxy"
    assert first_bytes(address(task), 80) == "the proxy, inbound"
    assert get(f"http://{address(task)}:8080/") == "hello from berth\n"

    host.stop_task(arn)
    task = host.wait_status(arn, "STOPPED")
    assert {found["name"]: found.get("exitCode") for found in task["containers"]} == {"proxy": 0, "app": 42}


def test_a_proxy_that_would_meet_itself_is_refused(host):
    """Neither a user nor a group to leave alone: the reason says so, and nothing runs."""
    definition = host.define("mesh-refused", [{"name": "proxy", "image": host.image, "command": WEB}],
                             proxyConfiguration=proxy_configuration(ProxyEgressPort="15001"))
    task = host.wait_status(host.run(definition)[0], "STOPPED")
    reason = task["stoppedReason"] + task["containers"][0].get("reason", "")
    assert reason.startswith("ContainerNetworkingError: ") and "ignoredUID or ignoredGID" in reason, reason
    assert "exitCode" not in task["containers"][0]
