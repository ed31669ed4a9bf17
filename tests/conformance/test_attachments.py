# SPDX-License-Identifier: Apache-2.0
"""
Attachments other than interfaces: acknowledged, and the log says that nothing will come of them. And branches of a trunk, which
have no attachment: they come with their task.
"""
import pytest

import peer as peers
from messages import arn, envelope, expect_ack, interface, of_task, payload, task

ATTACHMENT = f"arn:aws:ecs:{peers.REGION}:{peers.ACCOUNT}:attachment/1"


@pytest.mark.parametrize("kind, properties", [
    ("amazonebs", {"volumeId": "vol-1", "volumeSizeGib": "1", "deviceName": "/dev/xvdb",
                   "sourceVolumeHostPath": "/mnt/v", "volumeName": "v"}),
    ("other", {"resourceType": "ElasticBlockStorage", "volumeID": "vol-1", "deviceName": "/dev/xvdb"}),
])
def test_an_attachment_that_is_not_attached_is_named_in_the_log(connected, peer, kind, properties):
    agent, acs = connected
    acs.say("ConfirmAttachmentMessage", envelope("m1", taskArn=arn("t1"), attachment={
        "attachmentArn": ATTACHMENT, "attachmentType": kind,
        "attachmentProperties": [{"name": name, "value": value} for name, value in properties.items()]}))
    expect_ack(acs, "m1")
    acs.silent()
    line, = [line for line in agent.text().splitlines() if ATTACHMENT in line]
    assert "level=warn" in line and "cannot attach" in line and kind in line and arn("t1") in line
    assert peer.called("SubmitAttachmentStateChanges") == []


@pytest.mark.parametrize("shape, plugin", [("berth", "ecs-branch-eni"), ("ec2", "vpc-branch-eni")])
def test_a_branch_of_a_trunk_is_made_by_its_plugin(agent, peer, shape, plugin):
    """Nobody has told of it before. There is no such trunk, so it ends with what the plugin says of that."""
    agent.start(BERTH_TASK_NETWORK_SHAPE=shape)
    acs = peer.acs.next()
    branch = interface(interfaceAssociationProtocol="vlan", attachmentArn=None, interfaceVlanProperties={
        "vlanId": "101", "trunkInterfaceMacAddress": "0a:00:00:00:99:99"})
    payload(acs, "m1", task("t1", networkMode="awsvpc", elasticNetworkInterfaces=[branch]))
    expect_ack(acs, "m1")
    body = peer.wait_call("SubmitTaskStateChange", match=of_task("t1", "STOPPED"))
    assert body["reason"].startswith("ContainerNetworkingError: ")
    assert f"CNI plugin {plugin} ADD: find the trunk: " in body["reason"] and "0a:00:00:00:99:99" in body["reason"]
