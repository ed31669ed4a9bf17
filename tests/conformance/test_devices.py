# SPDX-License-Identifier: Apache-2.0
"""Interfaces that are devices: announced, seen, reported (BERTH_ENI_DRIVER=eni)."""
import contextlib
import signal
import sqlite3
import subprocess
import time

import pytest

from messages import arn, attach, envelope, expect_ack, interface, one_of_several, payload, task
from tests.lab import devices as cards

SUBMIT = "SubmitTaskStateChange"
KINDS = {"BERTH_ENI_DRIVER": "eni", "BERTH_ENI_LINK_KINDS": "veth"}
SLACK = 0.05


@pytest.fixture
def devices():
    made = cards.Devices()
    yield made
    made.close()


@pytest.fixture
def hardware(agent, peer):
    """An agent that counts only hardware: what it hears of a veth comes by the kernel's message alone."""
    agent.start(BERTH_ENI_DRIVER="eni")
    return agent, peer.acs.next()


@pytest.fixture
def counting(agent, peer):
    """An agent for which veths are devices."""
    agent.start(**KINDS)
    return agent, peer.acs.next()


def card(mac, **members):
    return interface(mac=mac, attachmentArn=f"arn:aws:ecs:us-west-2:111122223333:attachment/{mac}", **members)


def records(agent):
    """What the agent has saved: the rest by the MAC."""
    with contextlib.closing(sqlite3.connect(f"file:{agent.settings['ECS_DATADIR']}/agent.db?mode=ro", uri=True)) as state:
        return {mac: rest for mac, *rest in state.execute("SELECT mac, task_arn, sent, expires_at FROM attachment")}


def told(peer):
    """The MACs that were reported as attached, in this order."""
    return [attachment["attachmentArn"].rsplit("/", 1)[1] for call in peer.called(SUBMIT)
            for attachment in call[2]["attachments"]]


def wait_gone(agent, mac, timeout=30):
    """When the record has gone, by the wall clock."""
    until = time.monotonic() + timeout
    while mac in records(agent):
        assert time.monotonic() < until, "the record stays"
        time.sleep(0.005)
    return time.time()


def settle(acs, seconds=0.3):
    """Long enough for what must not come."""
    acs.silent(seconds)


def test_a_message_is_acknowledged_once_and_kept(hardware, peer, devices):
    """net-T1"""
    agent, acs = hardware
    mac = devices.mac()
    before = int(time.time() * 1000)
    attach(acs, "m1", card(mac), wait_ms=60000)
    expect_ack(acs, "m1")
    of_task, sent, expires_at = records(agent)[mac]
    assert (of_task, sent) == (arn("t1"), 0) and before + 60000 <= expires_at <= time.time() * 1000 + 60000
    acs.silent()
    assert peer.called(SUBMIT) == []


def test_a_message_that_is_not_valid_is_dropped(hardware, peer, devices):
    """net-T2: not acknowledged, and no record"""
    agent, acs = hardware

    def message(leave_out=None, eni=None, **members):
        whole = envelope("m1", taskArn=arn("t1"), taskClusterArn=arn("t1"), waitTimeoutMs=60000, generatedAt=1,
                         elasticNetworkInterfaces=[card(devices.mac(), **(eni or {}))])
        whole.update(members)
        whole.pop(leave_out, None)
        acs.say("AttachTaskNetworkInterfacesMessage", whole)

    for name in ("messageId", "clusterArn", "containerInstanceArn", "taskArn", "waitTimeoutMs", "elasticNetworkInterfaces"):
        message(leave_out=name)
        message(**{name: "" if name.endswith(("Id", "Arn")) else None})
    for wait in (0, -1, "soon", 2 ** 70):
        message(waitTimeoutMs=wait)
    message(elasticNetworkInterfaces=[])
    message(elasticNetworkInterfaces=[None])
    for eni in ({"macAddress": None}, {"macAddress": ""}, {"macAddress": "0a:be"}, {"ec2Id": None}, {"ipv4Addresses": []},
                {"subnetGatewayIpv4Address": None}, {"subnetGatewayIpv4Address": "10.0.0.1"},
                {"subnetGatewayIpv4Address": "10.0.0.1/24/8"}, {"interfaceAssociationProtocol": "carrier-pigeon"},
                {"interfaceAssociationProtocol": "vlan"},
                {"interfaceAssociationProtocol": "vlan", "interfaceVlanProperties": {"trunkInterfaceMacAddress": devices.mac()}},
                {"interfaceAssociationProtocol": "vlan", "interfaceVlanProperties": {"vlanId": "133"}},
                {"ipv4Addresses": [], "ipv6Addresses": [{"primary": True, "address": "fd00::5"}]},
                {"ipv4Addresses": [], "ipv6Addresses": [{"primary": True, "address": "fd00::5"}],
                 "subnetGatewayIpv6Address": "fd00::1/64/64"}):
        message(eni=eni)
    # One bad interface of two.
    message(elasticNetworkInterfaces=[card(devices.mac()), card(devices.mac(), ec2Id=None)])
    acs.silent()
    assert records(agent) == {} and peer.called(SUBMIT) == []


@pytest.mark.parametrize("path", ["vif-1", "pci0000:00/0000:00:06.0"])
def test_a_device_that_comes_after_its_message_is_reported_once(hardware, peer, devices, path):
    """net-T3; acs-M23"""
    agent, acs = hardware
    mac = devices.mac()
    attach(acs, "m1", card(mac))
    expect_ack(acs, "m1")
    devices.plug(mac)
    settle(acs, 0.2)
    assert told(peer) == [], "what the kernel calls virtual is none"
    cards.say(cards.uevent(devices.names[mac], path), cards.uevent(devices.names[mac], path))
    assert peer.wait_call(SUBMIT) == {"cluster": "demo", "task": arn("t1"), "attachments": [
        {"attachmentArn": card(mac)["attachmentArn"], "status": "ATTACHED"}]}
    pytest.wait_until(lambda: records(agent)[mac][1] == 1)
    cards.say(cards.uevent(devices.names[mac], path))
    settle(acs)
    assert told(peer) == [mac]


def test_a_device_that_was_there_before_its_message_is_reported_with_it(counting, peer, devices):
    """net-T4, net-T5: it has been there for 4 seconds, and for 7, when its message comes; the next look is at 30"""
    _, acs = counting
    early, late = [devices.mac() for _ in range(5)], [devices.mac() for _ in range(5)]
    devices.plug(*early)
    time.sleep(3)
    devices.plug(*late)
    time.sleep(4)
    for macs in (late, early):
        def joined(macs=macs):
            mac = macs.pop()
            at = time.monotonic()
            attach(acs, mac, card(mac))
            expect_ack(acs, mac)
            pytest.wait_until(lambda: mac in told(peer))
            assert [call[0] for call in peer.called(SUBMIT)][-1] - at < 0.25
        one_of_several(joined)


def test_a_device_that_does_not_come_is_forgotten_in_time(hardware, peer, devices):
    """net-T6: and when it comes at last, nothing is said"""
    agent, acs = hardware

    def expires():
        mac = devices.mac()
        attach(acs, mac, card(mac), wait_ms=400)
        expect_ack(acs, mac)
        due = records(agent)[mac][2] / 1000
        assert -SLACK < wait_gone(agent, mac) - due < SLACK
        return mac
    late = one_of_several(expires)
    devices.plug(late, path="vif-1")
    settle(acs)
    assert peer.called(SUBMIT) == []


def test_a_message_that_comes_twice_changes_nothing(hardware, peer, devices):
    """net-T7: neither the time that is left, nor what is reported"""
    agent, acs = hardware

    def once():
        mac = devices.mac()
        attach(acs, mac, card(mac), wait_ms=700)
        expect_ack(acs, mac)
        due = records(agent)[mac][2] / 1000
        time.sleep(0.35)
        attach(acs, mac, card(mac), wait_ms=60000)
        expect_ack(acs, mac)
        assert records(agent)[mac][2] / 1000 == due
        assert -SLACK < wait_gone(agent, mac) - due < SLACK
    one_of_several(once)
    mac = devices.mac()
    for name in ("m1", "m2"):
        attach(acs, name, card(mac))
        expect_ack(acs, name)
    devices.plug(mac, path="vif-1")
    pytest.wait_until(lambda: records(agent)[mac][1] == 1)
    attach(acs, "m3", card(mac))
    expect_ack(acs, "m3")
    cards.say(cards.uevent(devices.names[mac]))
    settle(acs)
    assert told(peer) == [mac]


def test_of_two_interfaces_only_the_one_that_does_not_come_expires(hardware, peer, devices):
    """net-T8: the other one is reported by itself"""
    agent, acs = hardware
    comes, stays_away = devices.mac(), devices.mac()
    devices.plug(comes)
    attach(acs, "m1", card(comes), card(stays_away), wait_ms=3000)
    expect_ack(acs, "m1")
    assert set(records(agent)) == {comes, stays_away}
    due = records(agent)[stays_away][2] / 1000
    cards.say(cards.uevent(devices.names[comes]))
    pytest.wait_until(lambda: told(peer) == [comes])
    pytest.wait_until(lambda: records(agent)[comes][1] == 1)
    assert wait_gone(agent, stays_away) > due - SLACK
    # Both had the same time: what their timers had to say has been said by now.
    settle(acs)
    assert [call[2]["attachments"] for call in peer.called(SUBMIT)] == [
        [{"attachmentArn": card(comes)["attachmentArn"], "status": "ATTACHED"}]]
    lines = [line for line in agent.text().splitlines() if "was not there in time" in line]
    assert len(lines) == 1 and stays_away in lines[0]
    devices.plug(stays_away, path="vif-1")
    settle(acs)
    assert told(peer) == [comes]


def test_an_agent_that_was_killed_goes_on_with_the_time_that_was_left(hardware, peer, devices):
    """net-T9"""
    agent, acs = hardware
    comes, stays_away = devices.mac(), devices.mac()
    attach(acs, "m1", card(comes))
    expect_ack(acs, "m1")
    attach(acs, "m2", card(stays_away), wait_ms=3000)
    expect_ack(acs, "m2")
    due = records(agent)[stays_away][2] / 1000
    assert records(agent)[comes][1] == 0
    agent.stop(signal.SIGKILL)
    agent.start()
    acs = peer.acs.next()
    devices.plug(comes, path="vif-1")
    pytest.wait_until(lambda: told(peer) == [comes])
    gone = wait_gone(agent, stays_away)
    assert gone > due - SLACK
    # Only a busy machine is later.
    assert gone < due + 20
    agent.stop(signal.SIGKILL)
    agent.start()
    acs = peer.acs.next()
    cards.say(cards.uevent(devices.names[comes]))
    settle(acs)
    assert told(peer) == [comes]


def test_the_hosts_own_device_is_never_reported(agent, peer, devices):
    """net-T12: the one that carries the default route, whoever announces it"""
    own, other = devices.mac(), devices.mac()
    devices.plug(own, other)
    name = devices.names[own]
    for command in (f"link set {name} up", f"link set {name}p up", f"route add default dev {name}"):
        subprocess.run(["ip", *command.split()], check=True)
    acs = agent.start(**KINDS) and peer.acs.next()
    attach(acs, "m1", card(own), card(other))
    expect_ack(acs, "m1")
    pytest.wait_until(lambda: told(peer) == [other])
    cards.say(cards.uevent(name), cards.uevent(name, "pci0000:00"))
    attach(acs, "m2", card(own))
    expect_ack(acs, "m2")
    settle(acs)
    assert told(peer) == [other]


def test_a_hundred_devices_at_once(hardware, peer, devices):
    """net-T13: by the kernel's messages alone"""
    _, acs = hardware
    macs = [devices.mac() for _ in range(100)]
    for mac in macs:
        attach(acs, mac, card(mac))
    for mac in macs:
        expect_ack(acs, mac)
    devices.plug(*macs, path="pci0000:00/0000:00:06.0")
    pytest.wait_until(lambda: len(told(peer)) >= 100)
    settle(acs)
    assert sorted(told(peer)) == sorted(macs)


def test_interfaces_of_three_hundred_tasks_at_once(counting, peer, devices):
    agent, acs = counting
    macs = [devices.mac() for _ in range(300)]
    devices.plug(*macs[:150])
    for number, mac in enumerate(macs):
        acs.say("AttachTaskNetworkInterfacesMessage",
                envelope(mac, taskArn=arn(f"t{number}"), waitTimeoutMs=60000, elasticNetworkInterfaces=[card(mac)]))
    for mac in macs:
        expect_ack(acs, mac)
    devices.plug(*macs[150:])
    pytest.wait_until(lambda: len(told(peer)) >= 300)
    settle(acs)
    assert sorted(told(peer)) == sorted(macs)
    assert {call[2]["task"] for call in peer.called(SUBMIT)} == {arn(f"t{number}") for number in range(300)}
    pytest.wait_until(lambda: [row[1] for row in records(agent).values()] == [1] * 300)


def test_an_interface_with_ipv6_addresses_only(hardware, peer, devices):
    """net-T14"""
    agent, acs = hardware
    mac = devices.mac()
    attach(acs, "m1", card(mac, ipv4Addresses=[], subnetGatewayIpv4Address=None, subnetGatewayIpv6Address="fd00::1/64",
                           ipv6Addresses=[{"primary": True, "address": "fd00::5"}]))
    expect_ack(acs, "m1")
    devices.plug(mac, path="vif-1")
    pytest.wait_until(lambda: told(peer) == [mac])
    pytest.wait_until(lambda: records(agent)[mac][1] == 1)


def test_an_interface_of_the_instance_has_a_report_of_its_own(hardware, peer, devices):
    """acs-M27"""
    agent, acs = hardware
    mac = devices.mac()
    acs.say("AttachInstanceNetworkInterfacesMessage",
            envelope("m1", waitTimeoutMs=60000, elasticNetworkInterfaces=[card(mac)]))
    expect_ack(acs, "m1")
    assert records(agent)[mac][0] is None
    devices.plug(mac, path="vif-1")
    assert peer.wait_call("SubmitAttachmentStateChanges") == {"cluster": "demo", "attachments": [
        {"attachmentArn": card(mac)["attachmentArn"], "status": "ATTACHED"}]}
    settle(acs)
    assert peer.called(SUBMIT) == [] and len(peer.called("SubmitAttachmentStateChanges")) == 1


def test_a_device_that_nobody_announced_is_told_to_the_log_once(counting, peer, devices):
    agent, acs = counting
    foreign = devices.mac()
    devices.plug(foreign)
    pytest.wait_until(lambda: foreign in agent.text())
    for number in range(3):
        attach(acs, f"m{number}", card(devices.mac()))
        expect_ack(acs, f"m{number}")
    settle(acs)
    line, = [line for line in agent.text().splitlines() if foreign in line]
    assert "level=debug" in line and peer.called(SUBMIT) == []


def test_the_same_mac_twice_is_the_first_ones(hardware, peer, devices):
    agent, acs = hardware
    mac = devices.mac()
    attach(acs, "m1", card(mac))
    expect_ack(acs, "m1")
    attach(acs, "m2", {**card(mac), "attachmentArn": card(mac)["attachmentArn"] + "-2"})
    expect_ack(acs, "m2")
    devices.plug(mac, path="vif-1")
    peer.wait_call(SUBMIT)
    settle(acs)
    assert told(peer) == [mac]
    assert [line for line in agent.text().splitlines() if "level=error" in line and "same MAC" in line and mac in line]


def test_a_device_that_vanishes_before_its_task_takes_it_stops_the_task(hardware, peer, devices):
    """It is waited for, as it may be on its way from another task; then the task is told which device is missing."""
    agent, acs = hardware
    mac = devices.mac()
    attach(acs, "m1", card(mac))
    expect_ack(acs, "m1")
    devices.plug(mac, path="vif-1")
    peer.wait_call(SUBMIT)
    devices.unplug(mac)
    payload(acs, "m2", task("t1", networkMode="awsvpc", elasticNetworkInterfaces=[card(mac)]))
    expect_ack(acs, "m2")
    body = peer.wait_call(SUBMIT, match=lambda body: body.get("status") == "STOPPED")
    assert "ContainerNetworkingError" in body["reason"] and f"device with mac address {mac} not found" in body["reason"]
    assert mac not in subprocess.run(["ip", "link"], check=True, stdout=subprocess.PIPE, text=True).stdout
