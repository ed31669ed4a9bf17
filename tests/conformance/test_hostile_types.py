# SPDX-License-Identifier: Apache-2.0
"""Messages of the control plane with a member of another type than the protocol gives it: one at a time, each member once."""
import pytest

from hostile import peer, sturdy  # noqa: F401  (fixtures)
from messages import arn, envelope

TEXT, WHOLE, NUMBER, BOOL = "text", 1, 0.5, True
WRONG = {
    str: (5, True, ["x"], {"a": "x"}),
    int: ("5", True, ["x"], {"a": 1}, 1.5, 1e300, 2 ** 70),
    float: ("5", True, ["x"], {"a": 1}),
    bool: ("true", 1, ["x"], {"a": 1}),
    list: ("x", 5, True, {"a": 1}),
    dict: ("x", 5, True, ["x"]),
}

CREDENTIALS = {name: TEXT for name in ("credentialsId", "roleArn", "accessKeyId", "secretAccessKey", "sessionToken", "expiration",
                                       "credentialScope")}
# The shape of a payload, every member once. Values of "texts" are JSON in a text, so any text is of the right type.
CONTAINER = {
    "name": TEXT, "image": TEXT, "cpu": WHOLE, "memory": WHOLE, "essential": BOOL, "command": [TEXT], "entryPoint": [TEXT],
    "environment": {"A": TEXT}, "environmentFiles": [{"value": TEXT, "type": TEXT}], "links": [TEXT], "overrides": TEXT,
    "restartPolicy": {"enabled": BOOL, "ignoredExitCodes": [WHOLE], "restartAttemptPeriod": WHOLE},
    "portMappings": [{"containerPort": WHOLE, "hostPort": WHOLE, "containerPortRange": TEXT, "protocol": TEXT}],
    "managedAgents": [{"name": TEXT, "properties": {"a": TEXT}}], "containerArn": TEXT,
    "mountPoints": [{"sourceVolume": TEXT, "containerPath": TEXT, "readOnly": BOOL}],
    "volumesFrom": [{"sourceContainer": TEXT, "readOnly": BOOL}],
    "dockerConfig": {"version": TEXT, "config": TEXT, "hostConfig": TEXT}, "healthCheckType": TEXT, "logsAuthStrategy": TEXT,
    "registryAuthentication": {
        "type": TEXT, "ecrAuthData": {"registryId": TEXT, "region": TEXT, "endpointOverride": TEXT, "useExecutionRole": BOOL},
        "asmAuthData": {"credentialsParameter": TEXT, "region": TEXT}},
    "secrets": [{name: TEXT for name in ("name", "valueFrom", "containerPath", "type", "region", "provider", "target")}],
    "dependsOn": [{"containerName": TEXT, "condition": TEXT}], "startTimeout": WHOLE, "stopTimeout": WHOLE,
    "credentialSpecs": [TEXT], "privileged": BOOL, "networkInterfaceNames": [TEXT],
    "linuxParameters": {"capabilities": {"add": [TEXT], "drop": [TEXT]}, "initProcessEnabled": BOOL, "sharedMemorySize": WHOLE,
                        "devices": [{"hostPath": TEXT, "containerPath": TEXT, "permissions": [TEXT]}]},
    "firelensConfiguration": {"type": TEXT, "options": {"a": TEXT}},
}
TASK = {
    "arn": TEXT, "family": TEXT, "version": TEXT, "desiredStatus": TEXT, "cpu": NUMBER,
    "memory": WHOLE, "containers": [CONTAINER], "launchType": TEXT, "networkMode": TEXT, "pidMode": TEXT, "ipcMode": TEXT,
    "serviceName": TEXT, "enableFaultInjection": BOOL, "roleCredentials": CREDENTIALS, "executionRoleCredentials": CREDENTIALS,
    "volumes": [{
        "name": TEXT, "type": TEXT, "host": {"sourcePath": TEXT},
        "dockerVolumeConfiguration": {"scope": TEXT, "autoprovision": BOOL, "driver": TEXT, "driverOpts": {"a": TEXT},
                                      "labels": {"a": TEXT}},
        "efsVolumeConfiguration": {"fileSystemId": TEXT, "rootDirectory": TEXT, "transitEncryption": TEXT,
                                   "transitEncryptionPort": WHOLE, "authorizationConfig": {"accessPointId": TEXT, "iam": TEXT}},
    }],
    "elasticNetworkInterfaces": [{
        "name": TEXT, "macAddress": TEXT, "attachmentArn": TEXT, "ec2Id": TEXT, "index": WHOLE,
        "interfaceAssociationProtocol": TEXT, "interfaceTunnelProperties": {"tunnelId": TEXT, "interfaceIpAddress": TEXT},
        "interfaceVlanProperties": {"vlanId": TEXT, "trunkInterfaceMacAddress": TEXT},
        "ipv4Addresses": [{"privateAddress": TEXT, "primary": BOOL}], "ipv6Addresses": [{"address": TEXT}],
        "domainName": [TEXT], "domainNameServers": [TEXT], "privateDnsName": TEXT, "subnetGatewayIpv4Address": TEXT,
        "subnetGatewayIpv6Address": TEXT,
    }],
    "associations": [{"name": TEXT, "type": TEXT, "content": {"value": TEXT, "encoding": TEXT}, "containers": [TEXT]}],
    "taskDefinitionAccountId": TEXT, "zone": TEXT, "taskClusterArn": TEXT, "overrides": TEXT, "agentConfiguration": TEXT,
    "group": TEXT,
    "trustedExecutionConfiguration": {"isolationMode": TEXT},
    "proxyConfiguration": {"type": TEXT, "containerName": TEXT, "properties": {"a": TEXT}},
    "attachments": [{"attachmentArn": TEXT, "attachmentType": TEXT, "attachmentProperties": [{"name": TEXT, "value": TEXT}]}],
}
UNREAD = {("tasks", 0, name) for name in ("agentConfiguration", "overrides", "taskDefinitionAccountId",
                                          "trustedExecutionConfiguration", "zone")}
INTERFACE = {"attachmentArn": TEXT, "ec2Id": TEXT, "macAddress": TEXT, "subnetGatewayIpv4Address": TEXT,
             "ipv4Addresses": [{"primary": BOOL, "privateAddress": TEXT}]}
IDENTIFIER = {"taskArn": TEXT, "taskClusterArn": TEXT, "desiredStatus": TEXT}
HEAD = {"messageId": TEXT, "clusterArn": TEXT, "containerInstanceArn": TEXT}
MESSAGES = {
    "PayloadMessage": {**HEAD, "seqNum": WHOLE, "generatedAt": WHOLE, "timeline": WHOLE, "tasks": [TASK]},
    "HeartbeatMessage": {"messageId": TEXT, "healthy": BOOL},
    "IAMRoleCredentialsMessage": {"messageId": TEXT, "taskArn": TEXT, "roleType": TEXT, "roleCredentials": CREDENTIALS},
    "AttachTaskNetworkInterfacesMessage": {**HEAD, "taskArn": TEXT, "waitTimeoutMs": WHOLE,
                                           "elasticNetworkInterfaces": [INTERFACE]},
    "AttachInstanceNetworkInterfacesMessage": {**HEAD, "waitTimeoutMs": WHOLE, "elasticNetworkInterfaces": [INTERFACE]},
    "ConfirmAttachmentMessage": {**HEAD, "taskArn": TEXT, "waitTimeoutMs": WHOLE,
                                 "attachment": {"attachmentArn": TEXT, "attachmentType": TEXT,
                                                "attachmentProperties": [{"name": TEXT, "value": TEXT}]}},
    "TaskManifestMessage": {**HEAD, "timeline": WHOLE, "generatedAt": WHOLE, "tasks": [IDENTIFIER]},
    "TaskStopVerificationAck": {"messageId": TEXT, "stopTasks": [IDENTIFIER]},
    "PerformUpdateMessage": {**HEAD, "updateInfo": {"location": TEXT, "signature": TEXT}},
}


def places(shape, path=()):
    """(path, value) of all that is in a shape, the message itself included."""
    yield path, shape
    if isinstance(shape, dict):
        for name, value in shape.items():
            yield from places(value, (*path, name))
    elif isinstance(shape, list):
        yield from places(shape[0], (*path, 0))


def with_wrong(shape, path, wrong, message_id):
    """The shape with what `path` leads to replaced, and as little beside the way there as can be: nothing else is wrong."""
    if not path:
        return wrong
    if isinstance(shape, list):
        return [with_wrong(shape[0], path[1:], wrong, message_id)]
    kept = {name: value for name, value in shape.items() if not isinstance(value, (dict, list)) and value is not TEXT}
    kept.update({name: message_id for name in HEAD if name in shape})
    if shape is TASK:
        kept["arn"] = arn(message_id)
    kept[path[0]] = with_wrong(shape[path[0]], path[1:], wrong, message_id)
    return kept


def answered(acs):
    """The messages that the agent has answered up to now."""
    acs.heartbeat(messageId="mark")
    found = set()
    while (message := acs.next()["message"]["messageId"]) != "mark":
        found.add(message)
    return found


@pytest.mark.parametrize("kind", MESSAGES)
def test_wrong_types(sturdy, peer, kind):
    """Nothing of such a message is acknowledged, nor done; the session goes on. What is not read at all may be anything."""
    sent, taken = {}, set()
    for path, value in places(MESSAGES[kind]):
        for wrong in WRONG[type(value)]:
            message_id = f"m{len(sent)}"
            sent[message_id] = (path, wrong)
            sturdy.acs.say(kind, with_wrong(MESSAGES[kind], path, wrong, message_id))
        taken |= answered(sturdy.acs)
    unread = {message_id for message_id, (path, _) in sent.items() if kind == "PayloadMessage" and path[:3] in UNREAD}
    while unread - taken:
        taken.add(sturdy.acs.next()["message"]["messageId"])
    taken |= answered(sturdy.acs)
    assert [sent[message_id] for message_id in taken - unread] == []
    # Of a task of which a part is refused it says so, and of no other.
    wrong_tasks = {arn(message_id) for message_id, (path, _) in sent.items() if path[:2] == ("tasks", 0) and path[2:]}
    assert {call[2]["task"] for call in peer.called("SubmitTaskStateChange")} <= wrong_tasks | {arn("first")}
    assert sturdy.acs.closed is None
    sturdy.goes_on()
