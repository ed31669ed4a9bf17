# SPDX-License-Identifier: Apache-2.0
"""Attachments other than interfaces: acknowledged, and the log says that nothing will come of them."""
import pytest

import peer as peers
from messages import arn, envelope, expect_ack

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
