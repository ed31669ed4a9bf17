# SPDX-License-Identifier: Apache-2.0
"""Messages of the control plane, as short as they can be."""
import peer as peers

ATTEMPTS = 5
TASKS = f"arn:aws:ecs:{peers.REGION}:{peers.ACCOUNT}:task/demo/"


def one_of_several(attempt, agent=None, peer=None):
    """
    A busy machine makes times longer, never shorter, and may hold up what this side has to say in time. So bounds above a
    time, and what is kept alive by this side, are tried several times; where the agent is wrong, every attempt fails. With an
    agent given, each attempt starts it, and a failed one ends with its end.
    """
    for number in range(ATTEMPTS):
        try:
            return attempt()
        except (AssertionError, peers.Closed) as error:
            if number + 1 == ATTEMPTS:
                raise
            print(f"attempt {number + 1}: {error!r}")
        if agent:
            agent.stop()
            peer.acs.forget()
            peer.tcs.forget()


def arn(name):
    return TASKS + name


def task(name, desired="RUNNING", **members):
    container = {"name": "app", "image": "registry.invalid/app:1", "essential": True, "overrides": "{}", "cpu": 10,
                 "memory": 16}
    container.update(members.pop("container", {}))
    return {"arn": arn(name), "family": "web", "version": "7", "desiredStatus": desired, "networkMode": "host",
            "containers": [container], **members}


def envelope(message_id, **members):
    return {"messageId": message_id, "clusterArn": peers.CLUSTER, "containerInstanceArn": peers.INSTANCE, **members}


def payload(acs, message_id, *tasks, seq=1):
    acs.say("PayloadMessage", envelope(message_id, seqNum=seq, tasks=list(tasks)))


def ack(message_id):
    return {"cluster": peers.CLUSTER, "containerInstance": peers.INSTANCE, "messageId": message_id}


def expect_ack(acs, message_id):
    assert acs.expect("AckRequest") == ack(message_id)


def manifest(acs, message_id, timeline, *running, **other):
    tasks = [{"taskArn": arn(name), "taskClusterArn": peers.CLUSTER, "desiredStatus": "RUNNING"} for name in running]
    tasks += [{"taskArn": arn(name), "taskClusterArn": peers.CLUSTER, "desiredStatus": status}
              for name, status in other.items()]
    acs.say("TaskManifestMessage", envelope(message_id, timeline=timeline, generatedAt=1, tasks=tasks))


def interface(mac="0a:00:00:00:00:01", **members):
    eni = {"attachmentArn": f"arn:aws:ecs:{peers.REGION}:{peers.ACCOUNT}:attachment/{mac}", "ec2Id": "eni-1",
           "macAddress": mac, "ipv4Addresses": [{"primary": True, "privateAddress": "10.0.0.5"}],
           "subnetGatewayIpv4Address": "10.0.0.1/24"}
    eni.update(members)
    return {name: value for name, value in eni.items() if value is not None}


def attach(acs, message_id, *enis, wait_ms=60000):
    acs.say("AttachTaskNetworkInterfacesMessage",
            envelope(message_id, taskArn=arn("t1"), waitTimeoutMs=wait_ms, elasticNetworkInterfaces=list(enis)))


def of_task(name, status=None):
    """Matches SubmitTaskStateChange calls of a task."""
    return lambda body: body["task"] == arn(name) and (status is None or body.get("status") == status)
