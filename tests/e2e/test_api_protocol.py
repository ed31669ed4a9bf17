# SPDX-License-Identifier: Apache-2.0
"""The API's protocol, as a real client sees it and as a rude one does."""
import http.client
import json
import os
import subprocess
import uuid

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.lab.berth import REGION, environment, program

TARGET = "AmazonEC2ContainerServiceV20141113."


def post(control, body, target="ListClusters", method="POST", path="/", headers=None):
    """status, headers and decoded body of one plain HTTP request."""
    connection = http.client.HTTPConnection("127.0.0.1", control.port, timeout=60)
    try:
        sent = {"Content-Type": "application/x-amz-json-1.1", **(headers or {})}
        if target is not None:
            sent["X-Amz-Target"] = TARGET + target
        connection.request(method, path, body=body, headers=sent)
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, answer.headers, json.loads(text) if text[:1] == b"{" else text
    finally:
        connection.close()


def client(control, key, secret):
    return boto3.client("ecs", endpoint_url=control.url, region_name=REGION, aws_access_key_id=key,
                        aws_secret_access_key=secret, config=Config(retries={"max_attempts": 1}))


def error(caught):
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


@pytest.mark.parametrize("target", ["Nope", "", "listclusters", "ListClusters/x"])
def test_api_1_unknown_operations_are_refused(control, target):
    status, headers, body = post(control, "{}", target)
    assert status == 400
    assert body["__type"] == "UnknownOperationException"
    assert headers["x-amzn-ErrorType"] == "UnknownOperationException"


def test_an_operation_that_is_not_there_names_itself(ecs):
    with pytest.raises(ClientError) as caught:
        ecs.create_service(serviceName="x", taskDefinition="y")
    assert error(caught) == ("UnknownOperationException",
                             "Operation CreateService is not implemented by this control plane.")


@pytest.mark.parametrize("body", ["{", "[]", '{"maxResults":"one"}', "\x00", '{"a":1}{}', '"' + "x" * 100])
def test_api_2_bodies_that_are_no_json_object(control, body):
    status, _, answer = post(control, body)
    assert (status, answer["__type"]) == (400, "SerializationException")


def test_bodies_have_a_bound(control):
    status, _, answer = post(control, json.dumps({"nextToken": "x" * (1 << 20)}))
    assert (status, answer["__type"]) == (413, "RequestEntityTooLargeException")
    assert post(control, "{}")[0] == 200


def test_api_3_every_reply_has_a_request_id_and_type(control):
    status, headers, body = post(control, "")
    assert (status, body) == (200, {"clusterArns": [f"arn:aws:ecs:{REGION}:000000000000:cluster/default"]})
    assert headers["Content-Type"] == "application/x-amz-json-1.1"
    assert uuid.UUID(headers["x-amzn-RequestId"])
    assert post(control, "{")[1]["x-amzn-RequestId"] != headers["x-amzn-RequestId"]


def test_other_paths_and_methods_say_what_is_served(control):
    assert post(control, "{}", path="/other")[0] == 404
    assert post(control, None, method="PUT")[0] == 404
    status, _, body = post(control, None, target=None, method="GET", path="/health")
    assert (status, body) == (200, {"status": "ok"})


def test_one_connection_carries_many_calls(control):
    connection = http.client.HTTPConnection("127.0.0.1", control.port, timeout=60)
    for _ in range(20):
        connection.request("POST", "/", body="{}", headers={"X-Amz-Target": TARGET + "ListClusters"})
        assert connection.getresponse().read()
    connection.close()


def test_the_aws_command_works(control):
    assert control.aws("create-cluster", "--cluster-name", "c1")["cluster"]["status"] == "ACTIVE"
    assert control.aws("list-clusters")["clusterArns"] == [
        f"arn:aws:ecs:{REGION}:000000000000:cluster/{name}" for name in ("c1", "default")]


def test_a_pair_of_keys_keeps_others_out(control_with, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("[default]\naws_access_key_id = AKIDBERTHTEST\naws_secret_access_key = berth-test-secret\n")
    control = control_with("--keys", str(keys), probe=lambda control: control.boto().list_clusters())
    assert control.boto().list_clusters()["clusterArns"]
    with pytest.raises(ClientError) as caught:
        client(control, "AKIDBERTHTEST", "wrong").list_clusters()
    assert error(caught)[0] == "InvalidSignatureException"
    with pytest.raises(ClientError) as caught:
        client(control, "AKIDOTHER", "berth-test-secret").list_clusters()
    assert error(caught)[0] == "UnrecognizedClientException"
    assert post(control, "{}")[2]["__type"] == "MissingAuthenticationTokenException"


def run(*arguments):
    return subprocess.run([program("berth-control"), *arguments], env=environment(), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60)


@pytest.mark.parametrize("arguments, message", [
    (["--listen", "4510"], "must be ADDRESS:PORT"),
    (["--listen", "127.0.0.1:x"], "must be ADDRESS:PORT"),
    (["--account", "12"], "must be 12 digits"),
    (["--cluster", "a b"], "must be up to 255 letters"),
    (["--subnet", "10.0.0.0/24,x=1"], "is not one of ipv6=, id=, zone=, gateway= and dns="),
    (["--subnet", "10.0.0.0/24", "--subnet", "10.1.0.0/24"], "add ,id=subnet-"),
    (["--subnet", "10.0.0.0/33"], "10.0.0.0/33"),
    (["--log-level", "loud"], "must be debug, info, warn"),
    (["--time-scale", "0"], "must be a number from 0.001 to 1000"),
    (["--keys", "/nonexistent"], "/nonexistent"),
    (["--advertise", "ftp://x"], "must start with http:// or https://"),
    (["--data", "/nonexistent/state.db"], "/nonexistent/state.db"),
    (["--nope"], "nope"),
    (["stray"], "takes options only"),
])
def test_bad_arguments_are_named_with_what_is_allowed(arguments, message):
    done = run(*arguments)
    assert done.returncode in (1, 2)
    assert message in done.stderr


def test_help_and_version():
    assert "--listen ADDRESS:PORT" in run("--help").stdout
    assert run("--version").stdout.startswith("berth-control 0.")


def test_a_port_that_is_taken_is_named(control):
    done = run("--listen", f"127.0.0.1:{control.port}")
    assert done.returncode == 1
    assert str(control.port) in done.stderr


def test_a_data_file_of_another_region_is_refused(durable_control):
    durable_control.end()
    done = run("--listen", "127.0.0.1:0", "--data", durable_control.data, "--region", "eu-west-1")
    assert done.returncode == 1
    assert "belongs to region us-west-2" in done.stderr
    durable_control.start()


def test_the_state_survives_a_kill(durable_control):
    ecs = durable_control.boto()
    ecs.create_cluster(clusterName="c1", tags=[{"key": "a", "value": "1"}])
    before = ecs.register_task_definition(family="web", containerDefinitions=[
        {"name": "web", "image": "busybox", "memory": 16}])["taskDefinition"]
    durable_control.daemon.kill()
    durable_control.start()
    assert ecs.describe_task_definition(taskDefinition="web")["taskDefinition"] == before
    assert ecs.describe_clusters(clusters=["c1"], include=["TAGS"])["clusters"][0]["tags"] == [
        {"key": "a", "value": "1"}]
    assert os.stat(durable_control.data).st_mode & 0o077 == 0
