# SPDX-License-Identifier: Apache-2.0
"""Networks of many tasks at once. Their images never come: what they have of the host is their network."""
import json
import os
import subprocess

import pytest

from messages import arn, envelope, expect_ack, interface, payload, task
from tests.lab.berth import sanitized

SUBMIT = "SubmitTaskStateChange"
TASKS = 60 if sanitized() else 300


def host_ends():
    links = json.loads(subprocess.run(["ip", "-j", "link"], check=True, stdout=subprocess.PIPE).stdout)
    return [link["ifname"] for link in links if link.get("ifalias", "").startswith("ecs:")]


def routes():
    return {route["dst"] for route in json.loads(subprocess.run(["ip", "-j", "route"], check=True, stdout=subprocess.PIPE).stdout)}


def eni(number):
    mac = "02:00:00:00:%02x:%02x" % divmod(number, 256)
    return interface(mac=mac, ec2Id=f"eni-{number:017x}", subnetGatewayIpv4Address="10.97.0.1/16",
                     ipv4Addresses=[{"primary": True, "privateAddress": f"10.97.{1 + number // 200}.{1 + number % 200}"}])


def test_many_tasks_are_attached_at_once(connected, peer):
    """Each gets a namespace, an interface and a route to its address; and when all are stopped at once, all of it goes."""
    agent, acs = connected
    before = routes()
    small = {"cpu": 0, "memory": 6}
    specs = [task(f"t{number}", networkMode="awsvpc", elasticNetworkInterfaces=[eni(number)], container=small)
             for number in range(TASKS)]
    for number in range(TASKS):
        acs.say("AttachTaskNetworkInterfacesMessage",
                envelope(f"a{number}", taskArn=arn(f"t{number}"), waitTimeoutMs=60000, elasticNetworkInterfaces=[eni(number)]))
    for number in range(TASKS):
        expect_ack(acs, f"a{number}")
    peer.wait_call(SUBMIT, TASKS, match=lambda body: body.get("attachments"))
    payload(acs, "m1", *specs)
    assert acs.next(kind="AckRequest")["message"]["messageId"] == "m1"
    addresses = {eni(number)["ipv4Addresses"][0]["privateAddress"] for number in range(TASKS)}
    pytest.wait_until(lambda: addresses <= routes() - before, 120, "a route to each task")
    names = os.listdir(f"{agent.settings['BERTH_RUN_DIR']}/netns")
    assert len([name for name in names if name.startswith("t")]) == TASKS and len(host_ends()) == TASKS

    payload(acs, "m2", *({**spec, "desiredStatus": "STOPPED"} for spec in specs), seq=2)
    peer.wait_call(SUBMIT, TASKS, 120, match=lambda body: body.get("status") == "STOPPED")
    assert not [call for call in peer.called(SUBMIT) if "NetworkingError" in call[2].get("reason", "")]
    pytest.wait_until(lambda: host_ends() == [] and routes() == before, 60, "the end of all interfaces and routes")
    pytest.wait_until(lambda: os.listdir(f"{agent.settings['BERTH_RUN_DIR']}/netns") == [], 60, "the end of all namespaces")
