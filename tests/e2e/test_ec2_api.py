# SPDX-License-Identifier: Apache-2.0
"""The part of EC2 that makes networks for tasks, driven with the AWS client and with `aws ec2`."""
import http.client
import json
import re
import subprocess
import urllib.parse
import xml.etree.ElementTree

import pytest
from botocore.exceptions import ClientError

from fake_agent import *  # noqa: F401,F403  (fixtures are found by name)
from fake_agent import FakeAgent
from tests.lab.berth import REGION, environment

VPC, SUBNET, GROUP, ACCOUNT = "vpc-berth", "subnet-berth", "sg-berth", "000000000000"
EVERYWHERE = {"CidrIp": "0.0.0.0/0"}
NAMESPACE = "{http://ec2.amazonaws.com/doc/2016-11-15/}"


def refused(call, **members):
    with pytest.raises(ClientError) as caught:
        call(**members)
    return caught.value.response["Error"]["Code"]


def text_of_refusal(call, **members):
    with pytest.raises(ClientError) as caught:
        call(**members)
    return caught.value.response["Error"]["Message"]


@pytest.fixture
def ec2(control):
    return control.boto("ec2")


@pytest.fixture
def vpc(ec2):
    return ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]


def aws(control, *arguments):
    """`aws ec2 ...` as a person types it."""
    done = subprocess.run(["/usr/bin/aws", "--endpoint-url", control.url, "ec2", *arguments], env=environment(),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else {}


def post(control, body, **headers):
    """status, headers and text of a plain request."""
    connection = http.client.HTTPConnection("127.0.0.1", control.port, timeout=60)
    try:
        connection.request("POST", "/", body=body, headers={
            "Content-Type": "application/x-www-form-urlencoded; charset=utf-8", **headers})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


# --- the protocol

def test_answers_are_the_xml_of_ec2(control):
    status, headers, text = post(control, "Action=DescribeVpcs&Version=2016-11-15")
    root = xml.etree.ElementTree.fromstring(text)
    assert status == 200 and headers["Content-Type"] == "text/xml;charset=UTF-8"
    assert root.tag == NAMESPACE + "DescribeVpcsResponse"
    assert root.find(NAMESPACE + "requestId").text == headers["x-amzn-RequestId"]
    assert root.find(f"{NAMESPACE}vpcSet/{NAMESPACE}item/{NAMESPACE}vpcId").text == VPC


@pytest.mark.parametrize("body, code", [
    ("Action=RunInstances&Version=2016-11-15", "InvalidAction"), ("Version=2016-11-15", "MissingAction"), ("", "MissingAction"),
    ("Action=DescribeVpcs&Version=2015-01-01", "InvalidParameterValue"),
    ("Action=DescribeVpcs&Action=DescribeVpcs", "MalformedQueryString"), ("Action=%zz", "MalformedQueryString"),
    ("Action=%00", "MalformedQueryString"), ("&".join(f"a{i}=1" for i in range(3000)), "MalformedQueryString"),
    ("Action=" + "x" * 300000, "MalformedQueryString"), ("Action=CreateVpc", "MissingParameter"),
    ("Action=DescribeVpcs&Colour=red", "UnknownParameter"), ("Action=DescribeVpcs&DryRun=perhaps", "InvalidParameterValue")])
def test_what_is_no_call_is_told_so(control, body, code):
    status, _, text = post(control, body)
    root = xml.etree.ElementTree.fromstring(text)
    assert status == 400 and root.tag == "Response"
    assert root.find("Errors/Error/Code").text == code and root.find("Errors/Error/Message").text
    assert len(root.find("RequestID").text) == 36


def test_texts_survive_the_xml(ec2, vpc):
    value = "<a> & \"b\" 'ü' \U0001f600"
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "note", "Value": value}])
    assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Tags"] == [{"Key": "note", "Value": value}]


def test_signatures_are_checked_for_ec2(control_with, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("aws_access_key_id = AKIDBERTHTEST\naws_secret_access_key = berth-test-secret\n")
    control = control_with("--keys", str(keys), probe=lambda control: control.boto().list_clusters() is not None)
    assert control.boto("ec2").describe_vpcs()["Vpcs"]
    assert post(control, "Action=DescribeVpcs")[0] == 400
    import boto3
    for key, secret, code in (("AKIDOTHER", "x", "AuthFailure"), ("AKIDBERTHTEST", "x", "SignatureDoesNotMatch")):
        other = boto3.client("ec2", endpoint_url=control.url, region_name=REGION, aws_access_key_id=key,
                             aws_secret_access_key=secret)
        assert refused(other.describe_vpcs) == code


def test_web_pages_cannot_call(control):
    """A form is what a page may post to any address without being allowed to: it names its origin."""
    status, _, text = post(control, "Action=CreateVpc&CidrBlock=10.30.0.0%2F16", Origin="http://evil.example")
    assert status == 403 and "<Code>AuthFailure</Code>" in text
    assert len(control.boto("ec2").describe_vpcs()["Vpcs"]) == 1


def test_a_dry_run_changes_nothing(ec2):
    assert refused(ec2.create_vpc, CidrBlock="10.30.0.0/16", DryRun=True) == "DryRunOperation"
    assert [vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"]] == [VPC]


# --- VPCs and subnets

def test_the_subnet_of_the_option_is_there_from_the_beginning(ec2):
    vpc, = ec2.describe_vpcs()["Vpcs"]
    assert vpc["VpcId"] == VPC and vpc["IsDefault"] and vpc["CidrBlock"] == "10.99.0.0/16" and vpc["State"] == "available"
    subnet, = ec2.describe_subnets()["Subnets"]
    assert subnet["SubnetId"] == SUBNET and subnet["VpcId"] == VPC and subnet["CidrBlock"] == "10.99.0.0/24"
    assert subnet["AvailableIpAddressCount"] == 251 and subnet["AvailabilityZone"] == REGION + "a"
    group, = ec2.describe_security_groups()["SecurityGroups"]
    assert group["GroupId"] == GROUP and group["GroupName"] == "default"
    assert refused(ec2.delete_subnet, SubnetId=SUBNET) == "OperationNotPermitted"
    assert refused(ec2.delete_vpc, VpcId=VPC) == "OperationNotPermitted"


def test_a_vpc_begins_with_a_default_group(ec2, vpc):
    assert re.fullmatch("vpc-[0-9a-f]{17}", vpc)
    group, = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"]
    assert re.fullmatch("sg-[0-9a-f]{17}", group["GroupId"]) and group["GroupName"] == "default"
    assert group["IpPermissions"] == [{"IpProtocol": "-1", "IpRanges": [], "Ipv6Ranges": [], "PrefixListIds": [],
                                       "UserIdGroupPairs": [{"GroupId": group["GroupId"], "UserId": ACCOUNT}]}]
    assert group["IpPermissionsEgress"] == [{"IpProtocol": "-1", "IpRanges": [EVERYWHERE], "Ipv6Ranges": [],
                                             "PrefixListIds": [], "UserIdGroupPairs": []}]
    assert refused(ec2.delete_security_group, GroupId=group["GroupId"]) == "CannotDelete"
    ec2.delete_vpc(VpcId=vpc)
    assert refused(ec2.describe_vpcs, VpcIds=[vpc]) == "InvalidVpcID.NotFound"
    assert refused(ec2.describe_security_groups, GroupIds=[group["GroupId"]]) == "InvalidGroup.NotFound"


@pytest.mark.parametrize("cidr, code", [("10.0.0.0/8", "InvalidVpc.Range"), ("10.0.0.0/29", "InvalidVpc.Range"),
                                        ("10.0.0.0", "InvalidParameterValue"), ("fd00::/16", "InvalidParameterValue"),
                                        ("10.0.0.300/24", "InvalidParameterValue")])
def test_networks_that_no_vpc_can_have(ec2, cidr, code):
    assert refused(ec2.create_vpc, CidrBlock=cidr) == code


def test_subnets_of_a_vpc(ec2, vpc):
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.1.77/24", AvailabilityZone="us-west-2b", TagSpecifications=[
        {"ResourceType": "subnet", "Tags": [{"Key": "Name", "Value": "one"}]}])["Subnet"]
    assert re.fullmatch("subnet-[0-9a-f]{17}", subnet["SubnetId"])
    assert subnet["CidrBlock"] == "10.20.1.0/24" and subnet["AvailabilityZone"] == "us-west-2b"
    assert subnet["AvailableIpAddressCount"] == 251 and subnet["Tags"] == [{"Key": "Name", "Value": "one"}]
    for cidr, code in (("10.20.1.128/25", "InvalidSubnet.Conflict"), ("10.20.0.0/16", "InvalidSubnet.Conflict"),
                       ("10.21.0.0/24", "InvalidSubnet.Range"), ("10.20.2.0/29", "InvalidSubnet.Range"),
                       ("10.20.2/24", "InvalidParameterValue")):
        assert refused(ec2.create_subnet, VpcId=vpc, CidrBlock=cidr) == code, cidr
    assert refused(ec2.create_subnet, VpcId="vpc-0", CidrBlock="10.20.2.0/24") == "InvalidVpcID.NotFound"
    assert refused(ec2.create_subnet, VpcId=vpc, CidrBlock="10.20.2.0/24", AvailabilityZone="a b") == "InvalidParameterValue"
    assert refused(ec2.delete_vpc, VpcId=vpc) == "DependencyViolation"
    ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    assert refused(ec2.delete_subnet, SubnetId=subnet["SubnetId"]) == "InvalidSubnetID.NotFound"
    ec2.delete_vpc(VpcId=vpc)


def test_two_vpcs_may_have_the_same_addresses(ec2, vpc):
    other = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    made = [ec2.create_subnet(VpcId=each, CidrBlock="10.20.0.0/24")["Subnet"]["SubnetId"] for each in (vpc, other)]
    assert len(set(made)) == 2


# --- IPv6

def blocks(resource):
    return {each["Ipv6CidrBlock"]: each["AssociationId"] for each in resource["Ipv6CidrBlockAssociationSet"]
            if each["Ipv6CidrBlockState"]["State"] == "associated"}


def test_a_vpc_of_both_families(ec2):
    made = ec2.create_vpc(CidrBlock="10.20.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
    (cidr, association), = blocks(made).items()
    assert re.fullmatch("fd[0-9a-f:]+::/56", cidr) and re.fullmatch("vpc-cidr-assoc-[0-9a-f]{17}", association)
    other = ec2.create_vpc(CidrBlock="10.20.0.0/16", Ipv6CidrBlock="2001:db8:0:4ff::/60", Ipv6Pool="mine")["Vpc"]
    assert list(blocks(other)) == ["2001:db8:0:4f0::/60"], "host bits are cleared"
    assert blocks(ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]) == {}

    def found(**filters):
        return [each["VpcId"] for each in ec2.describe_vpcs(Filters=[
            {"Name": "ipv6-cidr-block-association." + name.replace("_", "-"), "Values": [value]}
            for name, value in filters.items()])["Vpcs"]]
    assert found(association_id=association) == found(ipv6_cidr_block=cidr) == [made["VpcId"]]
    assert found(ipv6_cidr_block="2001:*", state="associated") == [other["VpcId"]]


@pytest.mark.parametrize("members, code", [
    ({"Ipv6CidrBlock": "2001:db8::/64"}, "InvalidVpc.Range"),
    ({"Ipv6CidrBlock": "2001:db8::/40"}, "InvalidVpc.Range"),
    ({"Ipv6CidrBlock": "2001:db8::/57"}, "InvalidVpc.Range"),
    ({"Ipv6CidrBlock": "10.0.0.0/16"}, "InvalidParameterValue"),
    ({"Ipv6CidrBlock": "nonsense"}, "InvalidParameterValue"),
    ({"Ipv6CidrBlock": "2001:db8::/56", "AmazonProvidedIpv6CidrBlock": True}, "InvalidParameterCombination")])
def test_ipv6_blocks_that_no_vpc_can_have(ec2, vpc, members, code):
    assert refused(ec2.create_vpc, CidrBlock="10.30.0.0/16", **members) == code
    assert refused(ec2.associate_vpc_cidr_block, VpcId=vpc, **members) == code


def test_blocks_of_a_vpc_come_and_go(ec2, vpc):
    def described():
        return ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]
    answer = ec2.associate_vpc_cidr_block(VpcId=vpc, Ipv6CidrBlock="fd00:1:2:300::/56")
    assert answer["VpcId"] == vpc and answer["Ipv6CidrBlockAssociation"]["Ipv6CidrBlockState"]["State"] == "associating"
    association = answer["Ipv6CidrBlockAssociation"]["AssociationId"]
    assert blocks(described()) == {"fd00:1:2:300::/56": association}
    assert refused(ec2.associate_vpc_cidr_block, VpcId=vpc, Ipv6CidrBlock="fd00:1:2:310::/60") == "CidrConflict"
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.0.0/24", Ipv6CidrBlock="fd00:1:2:301::/64")["Subnet"]["SubnetId"]
    assert refused(ec2.disassociate_vpc_cidr_block, AssociationId=association) == "InvalidCidrBlock.InUse"
    ec2.delete_subnet(SubnetId=subnet)
    assert ec2.disassociate_vpc_cidr_block(AssociationId=association)["VpcId"] == vpc
    assert blocks(described()) == {}
    assert refused(ec2.disassociate_vpc_cidr_block,
                   AssociationId=association) == "InvalidVpcCidrBlockAssociationID.NotFound"

    second = ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="10.21.0.0/16")["CidrBlockAssociation"]
    cidrs = {each["CidrBlock"]: each["AssociationId"] for each in described()["CidrBlockAssociationSet"]}
    assert list(cidrs) == ["10.20.0.0/16", "10.21.0.0/16"] and cidrs["10.21.0.0/16"] == second["AssociationId"]
    ec2.create_subnet(VpcId=vpc, CidrBlock="10.21.0.0/24")
    assert refused(ec2.disassociate_vpc_cidr_block, AssociationId=cidrs["10.20.0.0/16"]) == "OperationNotPermitted"
    assert refused(ec2.disassociate_vpc_cidr_block, AssociationId=second["AssociationId"]) == "InvalidCidrBlock.InUse"
    for i in range(3):
        ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock=f"10.3{i}.0.0/16")
    assert refused(ec2.associate_vpc_cidr_block, VpcId=vpc, CidrBlock="10.40.0.0/16") == "CidrLimitExceeded"
    assert refused(ec2.associate_vpc_cidr_block, VpcId=VPC, AmazonProvidedIpv6CidrBlock=True) == "OperationNotPermitted"


def test_groups_let_ipv6_out_where_the_vpc_has_it(ec2, vpc):
    def egress(group):
        found, = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
        return [end for rule in found["IpPermissionsEgress"] for end in rule["IpRanges"] + rule["Ipv6Ranges"]]

    def default(of):
        found, = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [of]},
                                                       {"Name": "group-name", "Values": ["default"]}])["SecurityGroups"]
        return found["GroupId"]

    def made(name, of):
        return ec2.create_security_group(GroupName=name, Description="d", VpcId=of)["GroupId"]
    everywhere = [EVERYWHERE, {"CidrIpv6": "::/0"}]
    with_ipv6 = ec2.create_vpc(CidrBlock="10.20.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]["VpcId"]
    assert egress(default(with_ipv6)) == egress(made("web", with_ipv6)) == everywhere
    # One that comes by it later: groups whose rules nobody has changed follow.
    plain, changed = made("plain", vpc), made("changed", vpc)
    ec2.revoke_security_group_egress(GroupId=changed, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [EVERYWHERE]}])
    assert egress(default(vpc)) == egress(plain) == [EVERYWHERE]
    ec2.associate_vpc_cidr_block(VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)
    assert egress(default(vpc)) == egress(plain) == everywhere and egress(changed) == []
    # What is closed after that stays closed, whatever blocks there are more.
    ec2.revoke_security_group_egress(GroupId=plain, IpPermissions=[{"IpProtocol": "-1", "Ipv6Ranges": [everywhere[1]]}])
    ec2.associate_vpc_cidr_block(VpcId=vpc, Ipv6CidrBlock="fd00:1:2:400::/56")
    assert egress(plain) == [EVERYWHERE]


def test_subnets_of_both_families(ec2, vpc):
    ec2.associate_vpc_cidr_block(VpcId=vpc, Ipv6CidrBlock="fd00:1:2:300::/56")
    made = ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.0.0/24", Ipv6CidrBlock="fd00:1:2:301::/64")["Subnet"]
    (cidr, association), = blocks(made).items()
    assert cidr == "fd00:1:2:301::/64" and re.fullmatch("subnet-cidr-assoc-[0-9a-f]{17}", association)
    assert not made["AssignIpv6AddressOnCreation"] and not made["Ipv6Native"]
    for cidr, code in [("fd00:1:2:301::/64", "InvalidSubnet.Conflict"), ("fd00:1:2:400::/64", "InvalidSubnet.Range"),
                       ("fd00:1:2:302::/60", "InvalidSubnet.Range"), ("x", "InvalidParameterValue")]:
        assert refused(ec2.create_subnet, VpcId=vpc, CidrBlock="10.20.9.0/24", Ipv6CidrBlock=cidr) == code, cidr
    ec2.modify_subnet_attribute(SubnetId=made["SubnetId"], AssignIpv6AddressOnCreation={"Value": True})
    assert ec2.describe_subnets(SubnetIds=[made["SubnetId"]])["Subnets"][0]["AssignIpv6AddressOnCreation"]

    plain = ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.1.0/24")["Subnet"]["SubnetId"]
    assert refused(ec2.modify_subnet_attribute, SubnetId=plain,
                   AssignIpv6AddressOnCreation={"Value": True}) == "InvalidParameterValue"
    assert refused(ec2.modify_subnet_attribute, SubnetId=plain,
                   MapPublicIpOnLaunch={"Value": True}) == "InvalidParameterValue"
    answer = ec2.associate_subnet_cidr_block(SubnetId=plain, Ipv6CidrBlock="fd00:1:2:302::/64")
    association = answer["Ipv6CidrBlockAssociation"]["AssociationId"]
    assert refused(ec2.associate_subnet_cidr_block, SubnetId=plain, Ipv6CidrBlock="fd00:1:2:303::/64") == "CidrLimitExceeded"
    found = ec2.describe_subnets(Filters=[{"Name": "ipv6-cidr-block-association.association-id", "Values": [association]}])
    assert [each["SubnetId"] for each in found["Subnets"]] == [plain]
    ec2.disassociate_subnet_cidr_block(AssociationId=association)
    assert refused(ec2.disassociate_subnet_cidr_block,
                   AssociationId=association) == "InvalidSubnetCidrBlockAssociationID.NotFound"
    assert blocks(ec2.describe_subnets(SubnetIds=[plain])["Subnets"][0]) == {}


def test_subnets_of_ipv6_alone(ec2, vpc):
    ec2.associate_vpc_cidr_block(VpcId=vpc, Ipv6CidrBlock="fd00:1:2:300::/56")
    made = ec2.create_subnet(VpcId=vpc, Ipv6Native=True, Ipv6CidrBlock="fd00:1:2:3ff::/64")["Subnet"]
    assert made["Ipv6Native"] and made["AssignIpv6AddressOnCreation"] and "CidrBlock" not in made
    assert made["AvailableIpAddressCount"] == 0
    found = ec2.describe_subnets(Filters=[{"Name": "ipv6-native", "Values": ["true"]}])["Subnets"]
    assert [each["SubnetId"] for each in found] == [made["SubnetId"]]
    association, = blocks(made).values()
    assert refused(ec2.disassociate_subnet_cidr_block, AssociationId=association) == "OperationNotPermitted"
    assert refused(ec2.modify_subnet_attribute, SubnetId=made["SubnetId"],
                   AssignIpv6AddressOnCreation={"Value": False}) == "InvalidParameterValue"
    assert refused(ec2.create_subnet, VpcId=vpc, Ipv6Native=True) == "MissingParameter"
    assert refused(ec2.create_subnet, VpcId=vpc, Ipv6Native=True, CidrBlock="10.20.0.0/24",
                   Ipv6CidrBlock="fd00:1:2:3fe::/64") == "InvalidParameterCombination"


def test_the_option_gives_subnets_of_ipv6(control_with):
    control = control_with("--subnet", "fd00:99:1:3::/64,id=subnet-six", subnet="10.99.0.0/24,ipv6=fd00:99:1:2::/64")
    ec2 = control.boto("ec2")
    assert list(blocks(ec2.describe_vpcs()["Vpcs"][0])) == ["fd00:99:1::/56"]
    both, six = ec2.describe_subnets()["Subnets"]
    assert list(blocks(both)) == ["fd00:99:1:2::/64"] and both["CidrBlock"] == "10.99.0.0/24"
    assert six["SubnetId"] == "subnet-six" and six["Ipv6Native"]
    association, = blocks(both).values()
    assert refused(ec2.disassociate_subnet_cidr_block, AssociationId=association) == "OperationNotPermitted"


def test_filters_and_pages(ec2, vpc):
    made = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.20.{i}.0/24")["Subnet"]["SubnetId"] for i in range(12)]

    def found(**filters):
        return [subnet["SubnetId"] for subnet in ec2.describe_subnets(Filters=[
            {"Name": name.replace("_", "-"), "Values": values} for name, values in filters.items()])["Subnets"]]
    assert found(vpc_id=[vpc]) == made
    assert found(cidr_block=["10.20.3.*", "10.20.?1.0/24"]) == [made[3], made[11]]
    assert found(vpc_id=[VPC], cidr_block=["10.20.*"]) == []
    assert refused(ec2.describe_subnets, Filters=[{"Name": "colour", "Values": ["red"]}]) == "InvalidParameterValue"
    pages = ec2.get_paginator("describe_subnets").paginate(Filters=[{"Name": "vpc-id", "Values": [vpc]}],
                                                           PaginationConfig={"PageSize": 5})
    assert [[subnet["SubnetId"] for subnet in page["Subnets"]] for page in pages] == [made[:5], made[5:10], made[10:]]
    assert refused(ec2.describe_subnets, MaxResults=5, NextToken="x") == "InvalidPaginationToken"


def test_tags(ec2, vpc):
    ec2.create_tags(Resources=[vpc, SUBNET], Tags=[{"Key": "team", "Value": "a"}, {"Key": "empty", "Value": ""}])
    assert [each["VpcId"] for each in ec2.describe_vpcs(Filters=[{"Name": "tag:team", "Values": ["a"]}])["Vpcs"]] == [vpc]
    tags = ec2.describe_tags(Filters=[{"Name": "key", "Values": ["team"]}])["Tags"]
    assert tags == [{"Key": "team", "ResourceId": vpc, "ResourceType": "vpc", "Value": "a"},
                    {"Key": "team", "ResourceId": SUBNET, "ResourceType": "subnet", "Value": "a"}]
    ec2.delete_tags(Resources=[vpc], Tags=[{"Key": "team", "Value": ""}])
    ec2.delete_tags(Resources=[vpc], Tags=[{"Key": "team", "Value": "another's"}])
    assert ec2.describe_tags(Filters=[{"Name": "key", "Values": ["team"]}])["Tags"] == tags
    ec2.delete_tags(Resources=[vpc], Tags=[{"Key": "team"}])
    ec2.delete_tags(Resources=[SUBNET], Tags=[{"Key": "team", "Value": "a"}])
    assert ec2.describe_tags(Filters=[{"Name": "key", "Values": ["team"]}])["Tags"] == []
    assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Tags"] == [{"Key": "empty", "Value": ""}]
    assert refused(ec2.create_tags, Resources=["i-1"], Tags=[{"Key": "a", "Value": "b"}]) == "InvalidID"
    assert refused(ec2.create_tags, Resources=[vpc], Tags=[{"Key": "aws:a", "Value": "b"}]) == "InvalidParameterValue"


# --- security groups

@pytest.fixture
def group(ec2, vpc):
    return ec2.create_security_group(GroupName="web", Description="web servers", VpcId=vpc)["GroupId"]


def rules_of(ec2, group):
    return [{name: rule[name] for name in rule if name not in ("SecurityGroupRuleId", "GroupId", "GroupOwnerId", "Tags")}
            for rule in ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])[
                "SecurityGroupRules"]]


def test_a_new_group_lets_everything_out_and_nothing_in(ec2, vpc, group):
    described, = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert described["GroupName"] == "web" and described["Description"] == "web servers" and described["VpcId"] == vpc
    assert described["IpPermissions"] == [] and described["OwnerId"] == ACCOUNT
    assert described["IpPermissionsEgress"][0]["IpRanges"] == [EVERYWHERE]
    assert rules_of(ec2, group) == [{"IsEgress": True, "IpProtocol": "-1", "FromPort": -1, "ToPort": -1,
                                     "CidrIpv4": "0.0.0.0/0"}]


@pytest.mark.parametrize("members, code", [
    ({"GroupName": "web"}, "InvalidGroup.Duplicate"), ({"GroupName": "default"}, "InvalidGroup.Reserved"),
    ({"GroupName": "sg-1"}, "InvalidParameterValue"), ({"GroupName": "w\t"}, "InvalidParameterValue"),
    ({"GroupName": "x" * 256}, "InvalidParameterValue"), ({"Description": "ü"}, "InvalidParameterValue"),
    ({"VpcId": "vpc-0"}, "InvalidVpcID.NotFound")])
def test_groups_that_cannot_be(ec2, vpc, group, members, code):
    assert refused(ec2.create_security_group, **{"GroupName": "new", "Description": "d", "VpcId": vpc, **members}) == code


def test_rules_come_and_go(ec2, vpc, group):
    other = ec2.create_security_group(GroupName="other", Description="d", VpcId=vpc)["GroupId"]
    answer = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[
        {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 81, "IpRanges": [EVERYWHERE, {"CidrIp": "10.1.2.3/16", "Description": "in"}],
         "Ipv6Ranges": [{"CidrIpv6": "::/0"}], "UserIdGroupPairs": [{"GroupId": other, "Description": "others"}]},
        {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "IpRanges": [EVERYWHERE]},
        {"IpProtocol": "50", "IpRanges": [EVERYWHERE]}])
    assert answer["Return"] and len(answer["SecurityGroupRules"]) == 6
    assert all(re.fullmatch("sgr-[0-9a-f]{17}", rule["SecurityGroupRuleId"]) for rule in answer["SecurityGroupRules"])
    described, = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    tcp, icmp, esp = described["IpPermissions"]
    assert (tcp["IpProtocol"], tcp["FromPort"], tcp["ToPort"]) == ("tcp", 80, 81)
    assert tcp["IpRanges"] == [EVERYWHERE, {"CidrIp": "10.1.0.0/16", "Description": "in"}]
    assert tcp["Ipv6Ranges"] == [{"CidrIpv6": "::/0"}]
    assert tcp["UserIdGroupPairs"] == [{"GroupId": other, "UserId": ACCOUNT, "Description": "others"}]
    assert (icmp["FromPort"], icmp["ToPort"]) == (8, -1) and "FromPort" not in esp and esp["IpProtocol"] == "50"
    assert rules_of(ec2, group)[4] == {"IsEgress": False, "IpProtocol": "tcp", "FromPort": 80, "ToPort": 81, "ReferencedGroupInfo":
                                       {"GroupId": other, "UserId": ACCOUNT}, "Description": "others"}
    # a group that another one names stays
    assert refused(ec2.delete_security_group, GroupId=other) == "DependencyViolation"
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[
        {"IpProtocol": "6", "FromPort": 80, "ToPort": 81, "UserIdGroupPairs": [{"GroupId": other}], "IpRanges": [EVERYWHERE]}])
    ec2.delete_security_group(GroupId=other)
    ids = [rule["SecurityGroupRuleId"] for rule in answer["SecurityGroupRules"] if rule["IpProtocol"] in ("icmp", "50")]
    ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=ids)
    described, = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert [(permission["IpProtocol"], permission["IpRanges"]) for permission in described["IpPermissions"]] == [
        ("tcp", [{"CidrIp": "10.1.0.0/16", "Description": "in"}])]
    ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [EVERYWHERE]}])
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[
        {"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "IpRanges": [EVERYWHERE]}])
    described, = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert [permission["IpProtocol"] for permission in described["IpPermissionsEgress"]] == ["udp"]


def permission(protocol="tcp", ports=(80, 80), **members):
    members = members or {"IpRanges": [EVERYWHERE]}
    if ports:
        members.update(FromPort=ports[0], ToPort=ports[1])
    return [{"IpProtocol": protocol, **members}]


@pytest.mark.parametrize("permissions, code", [
    (permission("sctpx"), "InvalidParameterValue"), (permission("256", None), "InvalidParameterValue"),
    (permission(ports=None), "InvalidParameterValue"), (permission(ports=(81, 80)), "InvalidParameterValue"),
    (permission(ports=(-1, -1)), "InvalidParameterValue"), (permission(ports=(0, 65536)), "InvalidParameterValue"),
    (permission("icmp", (256, 0)), "InvalidParameterValue"), (permission("icmp", (-1, 0)), "InvalidParameterValue"),
    (permission(IpRanges=[{"CidrIp": "10.0.0.0"}]), "InvalidParameterValue"),
    (permission(IpRanges=[{"CidrIp": "::/0"}]), "InvalidParameterValue"),
    (permission(Ipv6Ranges=[{"CidrIpv6": "10.0.0.0/8"}]), "InvalidParameterValue"),
    (permission(IpRanges=[]), "MissingParameter"),
    (permission(PrefixListIds=[{"PrefixListId": "pl-1"}]), "MissingParameter"),
    (permission(UserIdGroupPairs=[{"GroupId": "sg-0"}]), "InvalidGroup.NotFound"),
    (permission(UserIdGroupPairs=[{"GroupId": "x"}]), "InvalidGroupId.Malformed"),
    (permission(UserIdGroupPairs=[{"GroupId": GROUP}]), "InvalidGroup.NotFound"),
    (permission(UserIdGroupPairs=[{"GroupName": "web", "UserId": "123456789012"}]), "InvalidGroup.NotFound"),
    (permission() + permission(), "InvalidPermission.Duplicate"),
    (permission(IpRanges=[{"CidrIp": f"10.0.{i}.0/24"} for i in range(61)]), "RulesPerSecurityGroupLimitExceeded")])
def test_rules_that_cannot_be(ec2, group, permissions, code):
    before = rules_of(ec2, group)
    assert refused(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=permissions) == code
    assert rules_of(ec2, group) == before


def test_what_a_group_has_not_cannot_be_revoked(ec2, group):
    assert refused(ec2.revoke_security_group_ingress, GroupId=group, IpPermissions=permission()) == "InvalidPermission.NotFound"
    assert refused(ec2.revoke_security_group_ingress, GroupId=group,
                   SecurityGroupRuleIds=["sgr-0"]) == "InvalidSecurityGroupRuleId.NotFound"
    assert refused(ec2.describe_security_group_rules,
                   SecurityGroupRuleIds=["sgr-0"]) == "InvalidSecurityGroupRuleId.NotFound"
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=permission())
    assert text_of_refusal(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=permission()) == (
        'the specified rule "peer: 0.0.0.0/0, TCP, from port: 80, to port: 80, ALLOW" already exists')


def test_the_older_parameters(ec2):
    made = ec2.create_security_group(GroupName="old", Description="d")["GroupId"]  # in the default VPC
    ec2.authorize_security_group_ingress(GroupName="old", IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="10.0.0.0/8")
    ec2.authorize_security_group_ingress(GroupName="old", SourceSecurityGroupName="default")
    described, = ec2.describe_security_groups(GroupNames=["old"])["SecurityGroups"]
    assert described["GroupId"] == made and described["VpcId"] == VPC
    assert [(each["IpProtocol"], each["IpRanges"], [pair["GroupId"] for pair in each["UserIdGroupPairs"]])
            for each in described["IpPermissions"]] == [("tcp", [{"CidrIp": "10.0.0.0/8"}], []), ("-1", [], [GROUP])]
    ec2.revoke_security_group_ingress(GroupId=made, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="10.0.0.0/8")
    assert [group["GroupName"] for group in ec2.describe_security_groups(Filters=[
        {"Name": "ip-permission.group-id", "Values": [GROUP]}])["SecurityGroups"]] == ["default", "old"]
    assert refused(ec2.describe_security_groups, GroupNames=["nobody"]) == "InvalidGroup.NotFound"
    ec2.delete_security_group(GroupName="old")
    assert refused(ec2.delete_security_group, GroupId=made) == "InvalidGroup.NotFound"


# --- `aws ec2`

def test_a_network_as_a_person_makes_it(control):
    vpc = aws(control, "create-vpc", "--cidr-block", "10.40.0.0/16")["Vpc"]["VpcId"]
    subnet = aws(control, "create-subnet", "--vpc-id", vpc, "--cidr-block", "10.40.1.0/24")["Subnet"]["SubnetId"]
    group = aws(control, "create-security-group", "--group-name", "web", "--description", "web servers", "--vpc-id",
                vpc)["GroupId"]
    aws(control, "authorize-security-group-ingress", "--group-id", group, "--protocol", "tcp", "--port", "80-81", "--cidr",
        "0.0.0.0/0")
    aws(control, "authorize-security-group-ingress", "--group-id", group, "--protocol", "all", "--source-group", group)
    aws(control, "authorize-security-group-egress", "--group-id", group, "--ip-permissions",
        "IpProtocol=tcp,FromPort=443,ToPort=443,Ipv6Ranges=[{CidrIpv6=::/0,Description=out}]")
    aws(control, "revoke-security-group-egress", "--group-id", group, "--protocol", "all", "--cidr", "0.0.0.0/0")
    described, = aws(control, "describe-security-groups", "--group-ids", group)["SecurityGroups"]
    assert [(each["IpProtocol"], each.get("FromPort"), each.get("ToPort")) for each in described["IpPermissions"]] == [
        ("tcp", 80, 81), ("-1", None, None)]
    assert described["IpPermissions"][1]["UserIdGroupPairs"][0]["GroupId"] == group
    assert described["IpPermissionsEgress"][0]["Ipv6Ranges"] == [{"CidrIpv6": "::/0", "Description": "out"}]
    rules = aws(control, "describe-security-group-rules", "--filters", f"Name=group-id,Values={group}")["SecurityGroupRules"]
    assert len(rules) == 3
    assert aws(control, "describe-subnets", "--filters", f"Name=vpc-id,Values={vpc}")["Subnets"][0]["SubnetId"] == subnet
    assert aws(control, "describe-network-interfaces") == {"NetworkInterfaces": []}
    for arguments in (("delete-security-group", "--group-id", group), ("delete-subnet", "--subnet-id", subnet),
                      ("delete-vpc", "--vpc-id", vpc)):
        aws(control, *arguments)
    assert [each["VpcId"] for each in aws(control, "describe-vpcs")["Vpcs"]] == [VPC]


# --- tasks

@pytest.fixture
def definition(plane):
    return plane.define("vpc", mode="awsvpc", containers=[{"name": "web", "image": "busybox", "memory": 6}])


def run(plane, definition, subnets, groups=(), count=1):
    network = {"subnets": subnets, **({"securityGroups": list(groups)} if groups else {})}
    return plane.ecs.run_task(taskDefinition=definition, count=count, networkConfiguration={"awsvpcConfiguration": network})


def test_a_task_gets_its_interface_in_a_subnet_that_was_made(plane, agent, definition):
    ec2 = plane.boto("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]  # the addresses of the first one: another VPC
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.77.0.0/28")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="web", Description="d", VpcId=vpc)["GroupId"]
    default, = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]},
                                                     {"Name": "group-name", "Values": ["default"]}])["SecurityGroups"]
    named = run(plane, definition, [subnet], [group])["tasks"][0]
    plain = run(plane, definition, [subnet])["tasks"][0]
    here = run(plane, definition, [SUBNET])["tasks"][0]
    details = {detail["name"]: detail["value"] for detail in plane.task(named["taskArn"])["attachments"][0]["details"]}
    assert details["subnetId"] == subnet
    interface, = ec2.describe_network_interfaces(NetworkInterfaceIds=[details["networkInterfaceId"]])["NetworkInterfaces"]
    assert interface["Groups"] == [{"GroupId": group, "GroupName": "web"}]
    assert interface["PrivateIpAddress"] == details["privateIPv4Address"] == "10.77.0.4"
    assert interface["MacAddress"] == details["macAddress"] and interface["VpcId"] == vpc
    assert interface["SubnetId"] == subnet and interface["Status"] == "in-use"
    assert interface["Description"].endswith(plane.task(named["taskArn"])["attachments"][0]["id"])

    def with_filter(name, value):
        return len(ec2.describe_network_interfaces(Filters=[{"Name": name, "Values": [value]}])["NetworkInterfaces"])
    assert with_filter("group-id", default["GroupId"]) == 1 and with_filter("group-id", GROUP) == 1
    assert with_filter("private-ip-address", "10.77.0.4") == 2 and with_filter("vpc-id", vpc) == 2
    assert ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["AvailableIpAddressCount"] == 9
    assert refused(ec2.delete_subnet, SubnetId=subnet) == "DependencyViolation"
    assert refused(ec2.delete_security_group, GroupId=group) == "DependencyViolation"
    assert refused(ec2.describe_network_interfaces,
                   NetworkInterfaceIds=["eni-0"]) == "InvalidNetworkInterfaceID.NotFound"
    for task in (named, plain, here):
        agent.submit(task["taskArn"], "STOPPED")
    assert ec2.describe_network_interfaces()["NetworkInterfaces"] == []
    ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_security_group(GroupId=group)
    ec2.delete_vpc(VpcId=vpc)


def test_tasks_of_subnets_with_ipv6(plane, agent, definition):
    """net-T14: what an agent is told of an interface without IPv4."""
    ec2 = plane.boto("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16", Ipv6CidrBlock="fd00:1:2:300::/56")["Vpc"]["VpcId"]
    both = ec2.create_subnet(VpcId=vpc, CidrBlock="10.77.0.0/28", Ipv6CidrBlock="fd00:1:2:301::/64")["Subnet"]
    native = ec2.create_subnet(VpcId=vpc, Ipv6Native=True, Ipv6CidrBlock="fd00:1:2:302::/64")["Subnet"]
    tasks, told = {}, {}
    for name, subnet in (("both", both), ("native", native)):
        arn = tasks[name] = run(plane, definition, [subnet["SubnetId"]])["tasks"][0]["taskArn"]
        message, = wait_for("the attachment", lambda arn=arn: [
            each for each in agent.acs.of("AttachTaskNetworkInterfacesMessage") if each["taskArn"] == arn])
        told[name], = message["elasticNetworkInterfaces"]

    def details(name):
        return {detail["name"]: detail["value"] for detail in plane.task(tasks[name])["attachments"][0]["details"]}
    for name, prefix in (("both", "fd00:1:2:301:"), ("native", "fd00:1:2:302:")):
        six = details(name)["ipv6Address"]
        assert six.startswith(prefix)
        assert told[name]["ipv6Addresses"] == [{"primary": True, "address": six}]
        assert told[name]["subnetGatewayIpv6Address"] == f"{prefix}:1/64"
        interface, = ec2.describe_network_interfaces(Filters=[
            {"Name": "ipv6-addresses.ipv6-address", "Values": [six]}])["NetworkInterfaces"]
        assert interface["NetworkInterfaceId"] == details(name)["networkInterfaceId"]
        assert [each["Ipv6Address"] for each in interface["Ipv6Addresses"]] == [six]
        assert len(interface["PrivateIpAddresses"]) == (name == "both")
    assert details("both")["privateIPv4Address"] == "10.77.0.4"
    assert told["both"]["subnetGatewayIpv4Address"] == "10.77.0.1/28" and told["both"]["domainNameServers"] == ["10.77.0.2"]
    assert "privateIPv4Address" not in details("native")
    assert not {"ipv4Addresses", "subnetGatewayIpv4Address"} & set(told["native"])
    assert told["native"]["domainNameServers"] == ["fd00:1:2:302::2"]
    assert told["native"]["privateDnsName"] == details("native")["networkInterfaceId"] + f".{REGION}.compute.internal"

    association, = blocks(ec2.describe_subnets(SubnetIds=[both["SubnetId"]])["Subnets"][0]).values()
    assert refused(ec2.disassociate_subnet_cidr_block, AssociationId=association) == "InvalidCidrBlock.InUse"
    for arn in tasks.values():
        agent.submit(arn, "STOPPED")
    ec2.disassociate_subnet_cidr_block(AssociationId=association)
    # The subnet goes on without.
    later = run(plane, definition, [both["SubnetId"]])["tasks"][0]["taskArn"]
    assert "ipv6Address" not in {detail["name"] for detail in plane.task(later)["attachments"][0]["details"]}


def test_a_host_without_ipv6_gets_tasks_of_subnets_without(plane, definition):
    class Old(FakeAgent):
        ATTRIBUTES = [name for name in FakeAgent.ATTRIBUTES if not name.endswith(".ipv6")]

    Old(plane).connect()
    ec2 = plane.boto("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16", Ipv6CidrBlock="fd00:1:2:300::/56")["Vpc"]["VpcId"]
    both = ec2.create_subnet(VpcId=vpc, CidrBlock="10.77.0.0/28", Ipv6CidrBlock="fd00:1:2:301::/64")["Subnet"]["SubnetId"]
    plain = ec2.create_subnet(VpcId=vpc, CidrBlock="10.77.1.0/28")["Subnet"]["SubnetId"]
    assert "ATTRIBUTE" in run(plane, definition, [both])["failures"][0]["reason"]
    task, = run(plane, definition, [both, plain])["tasks"]
    assert {"name": "subnetId", "value": plain} in task["attachments"][0]["details"]


def test_each_subnet_has_its_own_addresses(plane, agent, definition):
    ec2 = plane.boto("ec2")
    subnet = ec2.create_subnet(VpcId=VPC, CidrBlock="10.77.1.0/28")["Subnet"]["SubnetId"]
    assert len(run(plane, definition, [subnet], count=10)["tasks"]) == 10
    answer = run(plane, definition, [subnet], count=2)
    assert len(answer["tasks"]) == 1 and answer["failures"][0]["reason"] == "RESOURCE:ENI"
    assert len(run(plane, definition, [subnet, SUBNET], count=2)["tasks"]) == 2  # the other one has room


def test_networks_that_no_task_can_have(plane, agent, definition):
    ec2 = plane.boto("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.0.0/24")["Subnet"]["SubnetId"]

    def refusal(subnets, groups=()):
        with pytest.raises(ClientError) as caught:
            run(plane, definition, subnets, groups)
        assert caught.value.response["Error"]["Code"] == "InvalidParameterException"
        return caught.value.response["Error"]["Message"]
    assert refusal(["subnet-0"]) == ("Error retrieving subnet information for [subnet-0]: The subnet ID 'subnet-0' does not "
                                     "exist (ErrorCode: InvalidSubnetID.NotFound)")
    assert refusal([SUBNET], ["sg-0"]) == ("Error retrieving security group information for [sg-0]: The security group 'sg-0' "
                                           "does not exist (ErrorCode: InvalidGroup.NotFound)")
    assert "belong to different VPCs" in refusal([subnet], [GROUP])
    assert "belong to different VPCs" in refusal([subnet, SUBNET])
    assert "can have at most 5 items" in refusal([SUBNET], [GROUP] * 6)
    assert ec2.describe_network_interfaces()["NetworkInterfaces"] == []


def test_networks_survive_a_restart(make_plane):
    plane = make_plane(state="file")
    ec2 = plane.boto("ec2")
    agent = FakeAgent(plane)
    agent.connect()
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.0.0/28")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="web", Description="d", VpcId=vpc)["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=permission())
    ec2.authorize_security_group_ingress(GroupId=GROUP, IpPermissions=permission())
    definition = plane.define("vpc", mode="awsvpc", containers=[{"name": "web", "image": "busybox", "memory": 6}])
    run(plane, definition, [subnet], [group])

    def state():
        return [ec2.describe_vpcs()["Vpcs"], ec2.describe_subnets()["Subnets"],
                ec2.describe_security_groups()["SecurityGroups"], ec2.describe_security_group_rules()["SecurityGroupRules"],
                ec2.describe_network_interfaces()["NetworkInterfaces"]]
    before = state()
    plane.restart()
    assert state() == before
    assert ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["AvailableIpAddressCount"] == 10


def test_many_parameters_in_one_call(control, ec2, group):
    """Sixty rules in one call, as an infrastructure tool sends them."""
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[
        {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [EVERYWHERE]} for port in range(1, 61)])
    assert len(rules_of(ec2, group)) == 61
    query = urllib.parse.urlencode({"Action": "DescribeSecurityGroups", "GroupId.1": group})
    assert post(control, query)[0] == 200

