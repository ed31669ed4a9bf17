# SPDX-License-Identifier: Apache-2.0
"""Agents with an identity of their own: what they may do with it, and what nobody else may do in their place."""
import base64
import http.client
import json
import os
import socket
import ssl
import stat
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from tests.lab.berth import wait_for
from tests.lab.processes import free_port

FOREVER = ["sh", "-c", "trap 'exit 42' TERM; while :; do sleep 0.1; done"]
TERMINAL = 5


class Enrolled:
    """Somebody with a key, and with a certificate for a token: what `openssl` makes is taken as well."""

    def __init__(self, control, directory):
        self.control = control
        self.key, self.file = os.path.join(directory, "key"), os.path.join(directory, "certificate")
        subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self.key],
                       check=True)
        self.certificate = (self.file, self.key)

    def request(self):
        der = subprocess.run(["openssl", "req", "-new", "-key", self.key, "-subj", "/CN=whatever", "-outform", "DER"],
                             check=True, stdout=subprocess.PIPE).stdout
        return base64.b64encode(der).decode()

    def enrol(self, token, control=None):
        _, token_id, secret, _ = token.split("-")
        return self.take(self.post("enroll", {"tokenId": token_id, "tokenSecret": secret, "name": "a test",
                                              "request": self.request()}))

    def renew(self):
        return self.take(self.post("renew", {"request": self.request()}, self.certificate))

    def take(self, answer):
        with open(self.file, "w") as file:
            file.write(answer["certificate"])
        self.identity = answer["identity"]
        return self

    def post(self, what, body, certificate=None):
        request = urllib.request.Request(f"{self.control.url}/berth/v1/identity/{what}", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=60, context=self.control.tls(certificate)) as answer:
            return json.loads(answer.read())


def refusal(action, *arguments, **more):
    """The error of a call that must be refused."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        action(*arguments, **more)
    body = json.loads(refused.value.read())
    return body["__type"], body["message"]


def upgrade(control, path, certificate=None, signed=False):
    """The status of a handshake, and its body; (101, "") and gone again when it is taken."""
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
               "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode()}
    if signed:
        authentic = control.signed("GET", f"{control.url}{path}", {})
        headers.update({name: authentic[name] for name in ("Authorization", "X-Amz-Date")})
    connection = http.client.HTTPSConnection("127.0.0.1", control.port, timeout=60, context=control.tls(certificate))
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, "" if answer.status == 101 else answer.read().decode()
    finally:
        connection.close()


def acs(instance):
    return "/ws?" + urllib.parse.urlencode(sorted(dict(
        agentHash="a", agentVersion="1.0.0", clusterArn="default", containerInstanceArn=instance, protocolVersion="2",
        sendCredentials="true", seqNum="1").items()))


def tcs(instance):
    return "/ws?" + urllib.parse.urlencode(sorted(dict(
        agentHash="a", agentVersion="1.0.0", cluster="default", containerInstance=instance).items()))


def registration(**more):
    return dict(more, cluster="default", totalResources=[
        {"name": "CPU", "type": "INTEGER", "integerValue": 1024},
        {"name": "MEMORY", "type": "INTEGER", "integerValue": 1024},
        {"name": "PORTS", "type": "STRINGSET", "stringSetValue": []},
        {"name": "PORTS_UDP", "type": "STRINGSET", "stringSetValue": []}])


def attempts(lab, instance, task):
    """What only the agent of that instance may do: each as a function of the certificate that is shown."""
    control = lab.control
    eni = lab.task(task)["attachments"][0]["id"]
    region_and_account = ":".join(task.split(":")[3:5])
    attachment = f"arn:aws:ecs:{region_and_account}:attachment/default/{eni}" if "/" not in eni else eni
    state = [{"attachmentArn": attachment, "status": "ATTACHED"}]
    return {
        "register": lambda c: control.call("RegisterContainerInstance", c,
                                           **registration(containerInstanceArn=instance)),
        "discover": lambda c: control.call("DiscoverPollEndpoint", c, containerInstance=instance, cluster="default"),
        "discover by id": lambda c: control.call("DiscoverPollEndpoint", c, containerInstance=instance.split("/")[-1],
                                                 cluster="default"),
        "task": lambda c: control.call("SubmitTaskStateChange", c, cluster="default", task=task, status="STOPPED",
                                       reason="stolen"),
        "container": lambda c: control.call("SubmitContainerStateChange", c, cluster="default", task=task,
                                            containerName="app", status="STOPPED", exitCode=1),
        "attachment": lambda c: control.call("SubmitAttachmentStateChanges", c, cluster="default", attachments=state),
    }


def own_certificate(agent):
    directory = os.path.join(agent.data, "identity")
    return os.path.join(directory, "certificate.pem"), os.path.join(directory, "key.pem")


def end(agent):
    """Its exit code, when it ends by itself."""
    wait_for("the agent to end", lambda: not agent.daemon.alive())
    return agent.daemon.stop()


@pytest.mark.lab(identity=True, keys=True, state="file", control_arguments=("--require-identity",))
def test_an_instance_is_its_agents_alone(lab, tmp_path):
    """Enrolled by a token, without keys: it runs tasks, comes back, and nobody else takes its place."""
    image = lab.registry.image("web")
    agent = lab.agent().start()
    certificate, key = own_certificate(agent)
    assert stat.S_IMODE(os.stat(key).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(key)).st_mode) == 0o700
    task = lab.run(lab.define("web", [{"image": image, "command": FOREVER}]))[0]
    lab.wait_ready(task)
    instance = agent.metadata()["ContainerInstanceArn"]

    # Both come back, and go on; the token is of no use any more, and not needed.
    assert lab.control.stop() == 0
    lab.control.start()
    assert agent.stop() == 0
    with open(certificate) as file:
        before = file.read()
    agent.start()
    assert agent.metadata()["ContainerInstanceArn"] == instance
    with open(certificate) as file:
        assert file.read() == before
    assert lab.task(task)["lastStatus"] == "RUNNING"

    thief = Enrolled(lab.control, str(tmp_path)).enrol(lab.control.command("token", "create"))
    for name, attempt in attempts(lab, instance, task).items():
        kind, message = refusal(attempt, thief.certificate)
        assert (name, kind) == (name, "AccessDeniedException") and "bound to the identity of another" in message
        kind, message = refusal(attempt, None)  # signed
        assert (name, kind) == (name, "AccessDeniedException") and "with an identity only" in message
    kind, message = refusal(lab.control.call, "UpdateContainerInstancesState", thief.certificate, cluster="default",
                            containerInstances=[instance], status="DRAINING")
    assert kind == "AccessDeniedException"
    for path in (acs(instance), tcs(instance)):
        status, body = upgrade(lab.control, path, thief.certificate)
        assert status == 403 and "AccessDeniedException" in body
        status, body = upgrade(lab.control, path, signed=True)
        assert status == 403 and "AccessDeniedException" in body
    assert "a call is refused" in lab.control.daemon.text() and "agent session refused" in lab.control.daemon.text()
    # An identity is for what agents do: the rest is signed.
    assert refusal(lab.control.call, "ListClusters", thief.certificate)[0] == "MissingAuthenticationTokenException"
    assert lab.task(task)["lastStatus"] == "RUNNING" and agent.connected()

    # The owner may.
    own = own_certificate(agent)
    assert lab.control.call("DiscoverPollEndpoint", own, containerInstance=instance)["endpoint"] == lab.control.url + "/"


def identity_of(control, name):
    """The newest identity that a host of that name has."""
    return [line.split() for line in control.command("identity", "list").splitlines()[1:] if line.endswith(name)][-1]


@pytest.mark.lab(identity=True, control_arguments=("--certificate-life", "10s"))
def test_certificates_are_renewed_and_revoked(lab):
    """The identity stays when the certificate is another; revoked, what it has open ends at once, and nothing is taken."""
    agent = lab.agent().start()
    own = own_certificate(agent)
    instance = agent.metadata()["ContainerInstanceArn"]
    with open(own[0]) as file:
        first = file.read()
    identity = identity_of(lab.control, socket.gethostname())

    def renewed():
        with open(own[0]) as file:
            return file.read() != first
    wait_for("the certificate to be renewed", renewed, 30)
    assert identity_of(lab.control, socket.gethostname())[0] == identity[0]
    assert agent.connected()
    assert agent.stop() == 0
    agent.start()
    assert agent.metadata()["ContainerInstanceArn"] == instance

    lab.control.command("identity", "revoke", identity[0])
    wait_for("the sessions to end", lambda: not agent.connected(), 5)
    wait_for("the agent to be told", lambda: "was revoked" in agent.daemon.text())
    for operation, members in (("RegisterContainerInstance", registration(containerInstanceArn=instance)),
                               ("RegisterContainerInstance", registration()),
                               ("DiscoverPollEndpoint", {})):
        kind, message = refusal(lab.control.call, operation, own, **members)
        assert kind == "AccessDeniedException" and "was revoked" in message
    for path in (acs(instance), tcs(instance)):
        status, body = upgrade(lab.control, path, own)
        assert status == 403 and "was revoked" in body
    assert not agent.connected()
    assert identity_of(lab.control, socket.gethostname())[1] == "revoked"


class Between:
    """Somebody who answers in the control plane's place, with a certificate and an authority of his own."""

    def __init__(self, directory, control, shows_its_authority):
        self.control, self.shows_its_authority, self.heard = control, shows_its_authority, []
        certificate, key = os.path.join(directory, "cert.pem"), os.path.join(directory, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, stderr=subprocess.DEVNULL)
        self.authority = certificate
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.port = free_port()
        self.socket = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                plain = self.socket.accept()[0]
            except OSError:
                return
            try:
                with self.context.wrap_socket(plain, server_side=True) as secure:
                    self.heard.append(secure.recv(65536).decode())
                    with open(self.control.ca if self.shows_its_authority else self.authority) as file:
                        text = file.read()
                    secure.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())
            except OSError:
                pass

    def close(self):
        self.socket.close()


def refused_agent(lab, **settings):
    """The log of an agent that is not enrolled, and ends for it."""
    agent = lab.agent(**settings)
    agent.may_fail = True
    agent.start(wait=False)
    assert end(agent) == TERMINAL
    assert not os.path.exists(own_certificate(agent)[0])
    return agent.daemon.text()


@pytest.mark.lab(identity=True)
def test_only_a_good_token_enrols_and_only_with_its_maker(lab, tmp_path):
    """What went wrong, and what to do, is in the agent's log; the token's secret is told to nobody but its maker."""
    control = lab.control
    used = control.command("token", "create")
    first = Enrolled(control, str(tmp_path)).enrol(used)
    revoked = control.command("token", "create")
    control.command("token", "revoke", revoked.split("-")[1])
    expired = control.command("token", "create", "--expires", "1s")
    good = control.command("token", "create")
    head, token_id, secret, fingerprint = good.split("-")
    time.sleep(1.1)
    for token, why in ((used, "has been used"), (revoked, "was revoked"), (expired, "has expired"),
                       ("-".join((head, token_id, "0" * 32, fingerprint)), "none of this control plane"),
                       ("-".join((head, token_id, secret, "0" * 64)), "not the one that made the token"),
                       (good[:-1], "the token is none")):
        log = refused_agent(lab, BERTH_ENROLL_TOKEN=token)
        assert why in log, log[-2000:]
        assert secret not in log
    assert "https://" in refused_plain(lab, good)

    # Somebody in between: with an authority of his own he is not believed; with ours he cannot answer for it.
    for shows_ours, why in ((False, "not the one that made the token"), (True, "somebody else answers in its place")):
        between = Between(str(tmp_path), control, shows_ours)
        log = refused_agent(lab, BERTH_ENROLL_TOKEN=good, ECS_BACKEND_HOST=f"https://127.0.0.1:{between.port}")
        between.close()
        assert why in log, log[-2000:]
        assert between.heard and not any(secret in heard for heard in between.heard)

    # None of it has used the token up. From a file it does as well, and with it comes the cluster that it is for.
    path = os.path.join(str(tmp_path), "token")
    with open(path, "w") as file:
        file.write(good + "\n")
    lab.agent(BERTH_ENROLL_TOKEN="", BERTH_ENROLL_TOKEN_FILE=path, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="").start()
    states = {line.split()[0]: line.split()[1] for line in control.command("token", "list").splitlines()[1:]}
    assert states[used.split("-")[1]] == states[token_id] == "used"
    assert states[revoked.split("-")[1]] == "revoked" and states[expired.split("-")[1]] == "expired"

    # Asked again by the same key, with the token that made it, as when the answer was lost: the same identity.
    identity = first.identity
    assert first.enrol(used).identity == identity
    assert first.renew().identity == identity
    assert refusal(first.post, "renew", {"request": first.request()})[0] == "AccessDeniedException"


def refused_plain(lab, token):
    """Over plain HTTP nobody enrols: the token would be anybody's."""
    agent = lab.agent(BERTH_ENROLL_TOKEN=token, ECS_BACKEND_HOST=lab.control.url.replace("https", "http"))
    agent.may_fail = True
    agent.start(wait=False)
    assert end(agent) != 0
    return agent.daemon.text()


@pytest.mark.lab(identity=True)
def test_a_token_may_be_for_one_cluster_and_for_several_hosts(lab, tmp_path):
    control = lab.control
    control.call("CreateCluster", clusterName="blue")
    token = control.command("token", "create", "--uses", "2", "--cluster", "blue")
    hosts = []
    for name in ("one", "two", "three"):
        directory = os.path.join(str(tmp_path), name)
        os.mkdir(directory)
        hosts.append(Enrolled(control, directory))
    hosts[0].enrol(token)
    hosts[1].enrol(token)
    assert "has been used" in refusal(hosts[2].enrol, token)[1]
    assert hosts[0].identity != hosts[1].identity
    answer = control.call("RegisterContainerInstance", hosts[0].certificate, **dict(registration(), cluster="blue"))
    assert "/blue/" in answer["containerInstance"]["containerInstanceArn"]
    kind, message = refusal(control.call, "RegisterContainerInstance", hosts[0].certificate, **registration())
    assert kind == "AccessDeniedException" and "for the cluster blue, not for default" in message


@pytest.mark.lab(identity=True)
def test_an_instance_without_an_identity_gets_its_agents_when_it_is_enrolled(lab, tmp_path):
    """Without --require-identity: what registered before goes on, and from its enrolment on it is bound."""
    control = lab.control
    answer = control.call("RegisterContainerInstance", **registration())
    instance = answer["containerInstance"]["containerInstanceArn"]
    assert upgrade(control, acs(instance))[0] == 101
    owner = Enrolled(control, str(tmp_path)).enrol(control.command("token", "create"))
    control.call("RegisterContainerInstance", owner.certificate, **registration(containerInstanceArn=instance))
    assert upgrade(control, acs(instance), owner.certificate)[0] == 101
    status, body = upgrade(control, acs(instance))
    assert status == 403 and "bound to the identity of another" in body
    kind, _ = refusal(control.call, "RegisterContainerInstance", **registration(containerInstanceArn=instance))
    assert kind == "AccessDeniedException"


@pytest.mark.lab(identity=True)
def test_bodies_that_are_none_are_refused(lab, tmp_path):
    somebody = Enrolled(lab.control, str(tmp_path))
    token = {"tokenId": "0" * 16, "tokenSecret": "0" * 32}
    for body, why in (({}, "tokenId"), ({**token, "request": 1}, "request"), ({**token, "request": "A" * 5000}, "request"),
                      ({**token, "tokenId": "x", "request": ""}, "tokenId"), ({**token, "name": "\n", "request": ""}, "name")):
        kind, message = refusal(somebody.post, "enroll", body)
        assert kind == "InvalidParameterException" and why in message
    somebody.enrol(lab.control.command("token", "create"))
    kind, message = refusal(somebody.post, "renew", {"request": "AAAA"}, somebody.certificate)
    assert kind == "InvalidParameterException" and "PKCS 10" in message
