# SPDX-License-Identifier: Apache-2.0
"""What agents that enforce security groups are told of the network of their tasks, and when."""
import time

import pytest

from fake_agent import *  # noqa: F401,F403  (fixtures are found by name)
from fake_agent import FakeAgent, wait_for

SUBNET, GROUP, VPC = "subnet-berth", "sg-berth", "vpc-berth"
EVERYWHERE = ["0.0.0.0/0", "::/0"]
NETWORK = "BerthNetworkMessage"
ANYWHERE = [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
DEFINITION = [{"name": "web", "image": "busybox", "memory": 6}]


class NetworkAgent(FakeAgent):
    """Announces that it enforces security groups; acknowledges what it is told of them if it acknowledges at all."""

    ATTRIBUTES = FakeAgent.ATTRIBUTES + ["berth.capability.network"]

    def __init__(self, plane, address=None, **more):
        super().__init__(plane, attributes=[("berth.network-address", address)] if address else [], **more)

    def answer(self, session, kind, message):
        if kind == NETWORK:
            self.ack(session, message)
        super().answer(session, kind, message)

    def run(self, definition, subnet=SUBNET, groups=None):
        """A task on this instance."""
        network = {"subnets": [subnet], **({"securityGroups": groups} if groups else {})}
        answer = self.ecs.start_task(taskDefinition=definition, containerInstances=[self.arn],
                                     networkConfiguration={"awsvpcConfiguration": network})
        assert answer["failures"] == []
        return answer["tasks"][0]["taskArn"]

    def told(self, check=lambda message: True):
        """The last network that it was told, once `check` holds of it."""
        def last():
            messages = self.acs.of(NETWORK)
            return messages[-1] if messages and check(messages[-1]) else None
        return wait_for("the network to be told", last)


@pytest.fixture
def ec2(plane):
    return plane.boto("ec2")


@pytest.fixture
def definition(plane):
    return plane.define("vpc", mode="awsvpc", containers=DEFINITION)


def eni(plane, task):
    details = plane.task(task)["attachments"][0]["details"]
    return {detail["name"]: detail["value"] for detail in details}


def kinds(session):
    return [kind for kind, _ in list(session.messages)]


def test_the_network_comes_after_the_manifest_and_before_what_needs_it(plane, definition):
    agent = NetworkAgent(plane)
    agent.connect()
    empty = agent.told()
    assert empty["clusterArn"].endswith(":cluster/default") and empty["containerInstanceArn"] == agent.arn
    assert empty["securityGroups"] == empty["interfaces"] == empty["peers"] == [] and empty["version"] > 0
    task = agent.run(definition)
    agent.acs.wait("PayloadMessage", task=task)
    told = [kind for kind in kinds(agent.acs) if kind != "HeartbeatMessage"]
    assert told == ["TaskManifestMessage", NETWORK, NETWORK, "AttachTaskNetworkInterfacesMessage", "PayloadMessage"]
    message, own = agent.told(), eni(plane, task)
    assert message["version"] > empty["version"] and message["messageId"] != empty["messageId"]
    assert abs(message["generatedAt"] / 1000 - time.time()) < 60
    assert message["interfaces"] == [{"macAddress": own["macAddress"], "subnetId": SUBNET, "groups": [GROUP],
                                      "addresses": [own["privateIPv4Address"]]}]
    assert message["securityGroups"] == [{
        "groupId": GROUP, "vpcId": VPC, "members": [own["privateIPv4Address"]],
        "ingress": [{"protocol": "-1", "fromPort": -1, "toPort": -1, "cidrs": EVERYWHERE, "groups": [GROUP]}],
        "egress": [{"protocol": "-1", "fromPort": -1, "toPort": -1, "cidrs": EVERYWHERE, "groups": []}]}]
    # the same when it comes back, again before the task
    agent.acs.drop()
    agent.connect(automatic=False)
    agent.acs.wait(NETWORK)
    assert kinds(agent.acs)[:2] == ["TaskManifestMessage", NETWORK]
    again = agent.told()
    assert again["interfaces"] == message["interfaces"] and again["version"] > message["version"]


def test_an_agent_that_comes_back_hears_of_the_network_before_its_tasks(plane, definition):
    agent = NetworkAgent(plane)
    agent.connect(automatic=False)
    task = agent.run(definition)
    agent.acs.wait("PayloadMessage", task=task)  # and is not acknowledged
    agent.acs.drop()
    agent.connect(automatic=False)
    agent.acs.wait("PayloadMessage", task=task)
    told = [kind for kind in kinds(agent.acs) if kind != "HeartbeatMessage"]
    assert told[:4] == ["TaskManifestMessage", NETWORK, "AttachTaskNetworkInterfacesMessage", "PayloadMessage"]


def test_rules_change_while_a_task_runs(plane, ec2, definition):
    agent = NetworkAgent(plane)
    agent.connect()
    group = ec2.create_security_group(GroupName="web", Description="d")["GroupId"]
    other = ec2.create_security_group(GroupName="other", Description="d")["GroupId"]
    agent.run(definition, groups=[group])
    agent.told(lambda message: message["interfaces"])
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=ANYWHERE + [
        {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": other}],
         "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}, {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1,
                                                "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}])
    message = agent.told(lambda message: message["securityGroups"][0]["ingress"])
    assert message["securityGroups"][0]["ingress"] == [
        {"protocol": "tcp", "fromPort": 80, "toPort": 80, "cidrs": ["0.0.0.0/0", "::/0"], "groups": [other]},
        {"protocol": "icmp", "fromPort": 8, "toPort": -1, "cidrs": ["10.0.0.0/8"], "groups": []}]
    # of a group that is only named, the members count
    assert message["securityGroups"][1] == {"groupId": other, "vpcId": VPC, "ingress": [], "egress": [], "members": []}
    member = eni(plane, agent.run(definition, groups=[other]))["privateIPv4Address"]
    assert agent.told(lambda message: len(message["interfaces"]) == 2)["securityGroups"][1]["members"] == [member]
    ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=[
        rule["SecurityGroupRuleId"] for rule in ec2.describe_security_group_rules(Filters=[
            {"Name": "group-id", "Values": [group]}])["SecurityGroupRules"] if not rule["IsEgress"]])
    assert agent.told(lambda message: not message["securityGroups"][0]["ingress"])
    versions = [message["version"] for message in agent.acs.of(NETWORK)]
    assert versions == sorted(set(versions))


def test_peers_are_the_interfaces_of_other_hosts_in_the_same_vpc(plane, ec2, definition):
    one, two = NetworkAgent(plane, "192.0.2.1"), NetworkAgent(plane)
    one.connect()
    two.connect()
    elsewhere = ec2.create_subnet(VpcId=VPC, CidrBlock="10.77.9.0/24")["Subnet"]["SubnetId"]
    first, second = one.run(definition), two.run(definition)
    three = two.run(definition, subnet=elsewhere)
    message = one.told(lambda message: len(message["peers"]) == 2)
    own, other = eni(plane, second), eni(plane, three)
    vni = message["peers"][0]["vni"]
    assert vni > 0 and message["peers"] == [  # it has said no address
        {"address": own["privateIPv4Address"], "vni": vni}, {"address": other["privateIPv4Address"], "vni": vni}]
    assert {"cidrs": ["10.77.9.0/24"], "subnetId": elsewhere, "vni": vni} in message["subnets"]
    assert [subnet["subnetId"] for subnet in message["subnets"]] == [SUBNET, elsewhere]
    peer, = two.told(lambda message: message["peers"])["peers"]
    assert peer["host"] == "192.0.2.1" and peer["address"] == eni(plane, first)["privateIPv4Address"]
    members = {own["privateIPv4Address"], eni(plane, first)["privateIPv4Address"], eni(plane, three)["privateIPv4Address"]}
    assert set(one.told(lambda message: len(message["securityGroups"][0]["members"]) == 3)["securityGroups"][0]["members"]
               ) == members
    two.submit(second, "STOPPED")
    assert one.told(lambda message: len(message["peers"]) == 1)["interfaces"]
    two.submit(three, "STOPPED")
    assert one.told(lambda message: not message["peers"])["interfaces"]
    assert not two.told(lambda message: not message["peers"])["subnets"]  # it has no interface there any more


def test_the_vnis_of_two_vpcs_differ(plane, ec2, definition):
    one, two = NetworkAgent(plane), NetworkAgent(plane)
    one.connect()
    two.connect()
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.77.0.0/28")["Subnet"]["SubnetId"]
    for agent in (one, two):
        agent.run(definition)
        agent.run(definition, subnet=subnet)
    message = one.told(lambda message: len(message["peers"]) == 2)
    of_subnets = {told["subnetId"]: told["vni"] for told in message["subnets"]}
    assert of_subnets[SUBNET] != of_subnets[subnet]
    assert {peer["vni"] for peer in message["peers"]} == {of_subnets[SUBNET], of_subnets[subnet]}


def test_what_is_of_no_concern_is_not_told(plane, ec2, definition):
    agent, other = NetworkAgent(plane), NetworkAgent(plane)
    agent.connect()
    other.connect()
    group = ec2.create_security_group(GroupName="web", Description="d")["GroupId"]
    other.run(definition, groups=[group])
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=ANYWHERE)
    other.told(lambda message: message["securityGroups"] and message["securityGroups"][0]["ingress"])
    agent.run(definition)  # only now there is something to tell
    agent.told(lambda message: message["interfaces"])
    assert len(agent.acs.of(NETWORK)) == 2  # at the beginning, and this


def test_many_changes_in_one_call_are_told_once(plane, agent):
    """Ten tasks of one RunTask are one change."""
    definition = plane.define("vpc", mode="awsvpc", containers=DEFINITION)
    network = NetworkAgent(plane, memory=100000)
    network.connect()
    network.told()
    agent.acs.drop()
    wait_for("the other one to be gone", lambda: not agent.is_connected())
    assert len(plane.run(definition, count=10, subnet=SUBNET)["tasks"]) == 10
    network.told(lambda message: len(message["interfaces"]) == 10)
    network.acs.wait("PayloadMessage", 10)
    assert len(network.acs.of(NETWORK)) == 2


def test_the_network_comes_again_until_it_is_acknowledged(make_plane):
    plane = make_plane(scale=0.01)
    agent = NetworkAgent(plane)
    agent.connect(automatic=False)
    first, third = agent.acs.wait(NETWORK, 1), agent.acs.wait(NETWORK, 3)
    assert first == third
    # a newer version takes the older one's place
    agent.run(plane.define("vpc", mode="awsvpc", containers=DEFINITION))
    newer = agent.told(lambda message: message["interfaces"])
    assert newer["version"] > first["version"]
    agent.ack(agent.acs, first)  # which is of no use any more
    count = len(agent.acs.of(NETWORK))
    agent.acs.wait(NETWORK, count + 2)
    assert agent.acs.of(NETWORK)[-1] == newer
    agent.ack(agent.acs, newer)

    def settled():
        before = len(agent.acs.of(NETWORK))
        time.sleep(0.4)  # four intervals of redelivery in which nothing comes
        return len(agent.acs.of(NETWORK)) == before
    wait_for("silence", settled)
    assert settled()


def test_versions_grow_over_a_restart_of_the_control_plane(make_plane):
    plane = make_plane(state="file")
    agent = NetworkAgent(plane)
    agent.connect()
    agent.run(plane.define("vpc", mode="awsvpc", containers=DEFINITION))
    before = agent.told(lambda message: message["interfaces"])
    plane.restart()
    agent.connect()
    after = agent.told()
    assert after["version"] > before["version"] and after["interfaces"] == before["interfaces"]
    assert after["securityGroups"] == before["securityGroups"]


def test_other_agents_never_hear_of_it(plane, agent, ec2, definition):
    network = NetworkAgent(plane)
    network.connect()
    for each in (agent, network):
        NetworkAgent.run(each, definition)
    ec2.authorize_security_group_ingress(GroupId=GROUP, IpPermissions=ANYWHERE)
    network.told(lambda message: len(message["securityGroups"][0]["ingress"]) == 2)
    agent.acs.drop()
    agent.connect()
    agent.acs.wait("TaskManifestMessage")
    task = NetworkAgent.run(agent, definition)
    agent.acs.wait("PayloadMessage", task=task)
    assert NETWORK not in kinds(agent.acs)


def test_an_address_that_changes_is_told_to_the_others(plane, definition):
    one, two = NetworkAgent(plane), NetworkAgent(plane, "192.0.2.2")
    one.connect()
    two.connect()
    one.run(definition)
    two.run(definition)
    assert one.told(lambda message: message["peers"])["peers"][0]["host"] == "192.0.2.2"
    plane.call("RegisterContainerInstance", cluster="default", containerInstanceArn=two.arn, totalResources=[
        {"name": "CPU", "type": "INTEGER", "integerValue": 2048}, {"name": "MEMORY", "type": "INTEGER", "integerValue": 3900},
        {"name": "PORTS", "type": "STRINGSET", "stringSetValue": ["22"]},
        {"name": "PORTS_UDP", "type": "STRINGSET", "stringSetValue": []}],
        attributes=[{"name": "berth.capability.network"}])
    assert "host" not in one.told(lambda message: "host" not in message["peers"][0])["peers"][0]
