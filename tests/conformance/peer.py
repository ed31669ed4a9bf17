# SPDX-License-Identifier: Apache-2.0
"""A scripted control plane for one agent: the ECS API, ACS and TCS on one port of loopback.

Everything is plain threads and blocking sockets, so that a test reads from top to bottom: it waits for what the agent does,
and says what the peer answers. Every signature is recomputed; `bad_signatures` must stay empty.
"""
import base64
import hashlib
import hmac
import json
import queue
import select
import socket
import struct
import threading
import time
import urllib.parse
import uuid

KEY, SECRET, TOKEN = "AKIDEXAMPLE", "secret", "token"
REGION = "us-west-2"
ACCOUNT = "111122223333"
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
INSTANCE = f"arn:aws:ecs:{REGION}:{ACCOUNT}:container-instance/demo/0f9d"
CLUSTER = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/demo"
DEADLINE = 60  # seconds: for what does not come at all
EMPTY_HASH = hashlib.sha256(b"").hexdigest()


def signature(method, path, query, headers, signed, payload_hash, scope, date):
    """SigV4, from the text of the standard. `headers` by lower-case name."""
    canonical_query = "&".join(sorted(part.replace("+", "%20") for part in query.split("&") if part))
    canonical = "\n".join([method, path, canonical_query] + [f"{name}:{headers[name].strip()}" for name in signed]
                          + ["", ";".join(signed), payload_hash])
    text = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + SECRET).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def wrong_with(method, path, query, headers, payload_hash):
    """What is wrong with a signature, or None."""
    authorization = headers.get("authorization", "")
    if not authorization.startswith("AWS4-HMAC-SHA256 "):
        return f"no signature: {authorization!r}"
    parts = dict(part.strip().split("=", 1) for part in authorization[len("AWS4-HMAC-SHA256 "):].split(","))
    key, scope = parts["Credential"].split("/", 1)
    date = headers.get("x-amz-date", "")
    if key != KEY or scope != f"{date[:8]}/{REGION}/ecs/aws4_request":
        return f"credential {parts['Credential']}"
    if headers.get("x-amz-security-token") != TOKEN:
        return "no session token"
    signed = parts["SignedHeaders"].split(";")
    if "host" not in signed or "x-amz-date" not in signed or "x-amz-security-token" not in signed:
        return f"signed headers {signed}"
    expected = signature(method, path, query, headers, signed, payload_hash, scope, date)
    return None if expected == parts["Signature"] else f"signature {parts['Signature']}, not {expected}"


class Closed(Exception):
    """The agent has ended the connection; `code` is None when no close frame came."""

    def __init__(self, code=None, reason="", reset=False):
        super().__init__(f"closed: {code} {reason!r} reset={reset}")
        self.code, self.reason, self.reset = code, reason, reset


class Connection:
    """One websocket, seen from the control plane."""

    def __init__(self, peer, sock, path, query, headers):
        self.peer, self.sock = peer, sock
        self.path, self.query = path, query
        self.params = {name: values[0] for name, values in urllib.parse.parse_qs(query, keep_blank_values=True).items()}
        self.headers = headers
        self.opened_at = time.monotonic()
        self.ended_at = None
        self.frames = []     # (opcode, fin, size) of every data frame
        self.pongs = []
        self.closed = None   # Closed, once it is
        self.resetting = False
        self.deaf = False    # reads nothing any more
        self.close_frame_at = None  # when the agent's close frame came
        self.messages = queue.Queue()
        self.lock = threading.Lock()
        threading.Thread(target=self._read, daemon=True).start()

    # -- what the peer does

    def send(self, message, opcode=1):
        self._frame(opcode, message.encode() if isinstance(message, str) else message)

    def say(self, kind, message):
        self.send(json.dumps({"type": kind, "message": message}))

    def heartbeat(self, **message):
        self.say("HeartbeatMessage", message)

    def ping(self, payload=b""):
        self._frame(9, payload)

    def close(self, code=None, reason=""):
        """Sends a close frame and waits for the agent's."""
        self._frame(8, b"" if code is None else struct.pack("!H", code) + reason.encode())
        return self.wait_closed()

    def fin(self):
        """Ends TCP without a close frame."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        """Resets TCP. Only the reader may do it: a pending read would keep the socket from closing."""
        self.resetting = True
        self.wait_closed()

    def keep_alive(self, every=0.02, kind="HeartbeatMessage", **message):
        """Messages until the connection ends; heartbeats, unless another kind that counts as a sign of life is given."""
        def beat():
            while self.closed is None:
                try:
                    self.say(kind, message)
                except OSError:
                    return
                time.sleep(every)
        threading.Thread(target=beat, daemon=True).start()

    # -- what the agent does

    def next(self, timeout=DEADLINE, kind=None):
        """The agent's next message (envelope decoded), of type `kind` when given: others before it are dropped."""
        until = time.monotonic() + timeout
        while True:
            try:
                message = self.messages.get(timeout=max(0, until - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {kind or 'message'} within {timeout} s") from None
            if isinstance(message, Closed):
                self.messages.put(message)
                raise message
            if kind is None or message["type"] == kind:
                return message

    def expect(self, kind, timeout=DEADLINE):
        """The agent's next message must be of this type; its body."""
        message = self.next(timeout)
        assert message["type"] == kind, message
        return message["message"]

    def none(self, kind, seconds):
        """Nothing of this type comes for so long; what else comes is dropped."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                message = self.messages.get(timeout=left)
            except queue.Empty:
                return
            if isinstance(message, Closed):
                self.messages.put(message)
                raise message
            assert message["type"] != kind, message

    def silent(self, seconds=0.2):
        """Nothing comes for so long, and a heartbeat is still answered after that."""
        try:
            message = self.messages.get(timeout=seconds)
        except queue.Empty:
            mark = str(uuid.uuid4())
            self.heartbeat(messageId=mark)
            assert self.expect("HeartbeatAckRequest") == {"messageId": mark}
            return
        raise AssertionError(f"the agent said {message}")

    def wait_closed(self, timeout=DEADLINE):
        until = time.monotonic() + timeout
        while self.closed is None and time.monotonic() < until:
            time.sleep(0.002)
        assert self.closed is not None, f"the agent kept the connection for {timeout} s"
        return self.closed

    # -- the machinery

    def _frame(self, opcode, payload):
        size = len(payload)
        head = bytes([0x80 | opcode])
        if size < 126:
            head += bytes([size])
        elif size < 65536:
            head += bytes([126]) + struct.pack("!H", size)
        else:
            head += bytes([127]) + struct.pack("!Q", size)
        with self.lock:
            self.sock.sendall(head + payload)

    def _exactly(self, size):
        data = b""
        while len(data) < size:
            while self.deaf and not self.peer.stopping:
                time.sleep(0.01)
            while not (getattr(self.sock, "pending", int)() or select.select([self.sock], [], [], 0.01)[0]):
                if self.resetting:
                    self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    raise Closed(reset=True)
            part = self.sock.recv(size - len(data))
            if not part:
                raise Closed()
            data += part
        return data

    def _read(self):
        try:
            self._read_frames()
        except Closed as closed:
            self._end(closed)
        except OSError:
            self._end(Closed(reset=True))

    def _end(self, closed):
        self.ended_at = self.ended_at or time.monotonic()
        self.sock.close()
        self.closed = closed
        self.messages.put(closed)

    def _read_frames(self):
        message = b""
        while True:
            first, second = self._exactly(2)
            opcode, fin = first & 15, bool(first & 128)
            assert second & 128, "the agent must mask its frames"
            assert not first & 0x70, "no extension was agreed on"
            size = second & 127
            if size == 126:
                size, = struct.unpack("!H", self._exactly(2))
            elif size == 127:
                size, = struct.unpack("!Q", self._exactly(8))
            mask = self._exactly(4)
            data = self._exactly(size)
            payload = bytes(byte ^ mask[i & 3] for i, byte in enumerate(data))
            if opcode == 8:
                code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 1005
                self.close_frame_at = time.monotonic()
                if not self.peer.echo_close:
                    continue
                self.ended_at = self.close_frame_at
                try:
                    self._frame(8, payload[:2])
                except OSError:
                    pass
                raise Closed(code, payload[2:].decode())
            if opcode == 9:
                self._frame(10, payload)
            elif opcode == 10:
                self.pongs.append(payload)
            else:
                self.frames.append((opcode, fin, size))
                message += payload
                if fin:
                    self._message(message.decode())
                    message = b""

    def _message(self, text):
        if self.peer.is_telemetry(self):
            block, _, body = text.partition("\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in block.split("\r\n"))
            assert list(headers) == sorted(headers), "headers are sorted by name"
            lower = {name.lower(): value for name, value in headers.items()}
            wrong = wrong_with("GET", self.path, self.query, lower, hashlib.sha256(body.encode()).hexdigest())
            if wrong:
                self.peer.bad_signatures.append(wrong)
            text = body
        self.messages.put(json.loads(text))


class Channel:
    """Upgrades of one kind. By default they are accepted."""

    def __init__(self):
        self.connections = queue.Queue()
        self.attempts = []   # (time, query) of every upgrade, refused ones too
        self.refusals = []   # (status, body): the next upgrades are answered so
        self.refuse_all = None

    def next(self, timeout=DEADLINE):
        try:
            return self.connections.get(timeout=timeout)
        except queue.Empty:
            raise AssertionError(f"no connection within {timeout} s") from None

    def forget(self):
        """The connections that were not asked for yet."""
        self.connections = queue.Queue()

    def wait_attempts(self, count, timeout=DEADLINE):
        until = time.monotonic() + timeout
        while len(self.attempts) < count and time.monotonic() < until:
            time.sleep(0.002)
        assert len(self.attempts) >= count, f"{len(self.attempts)} attempts within {timeout} s"
        return self.attempts


class Peer:
    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.server.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.acs, self.tcs = Channel(), Channel()
        self.endpoint_path = ""
        self.tls = None      # a context: connections are TLS
        self.calls = []      # (time, operation, body, headers)
        self.answers = {}    # operation -> list of (status, body) to come, or a function of the body
        self.bad_signatures = []
        self.before_answer = lambda operation: None  # may wait
        self.echo_close = True  # False: a deaf peer, which reads on after a close frame
        self.changed = threading.Condition()
        self.stopping = False
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self.stopping = True
        self.server.close()

    # -- the API

    def answer(self, operation, status, body):
        """The next call of the operation is answered so; a function of the request's body answers all calls."""
        self.answers.setdefault(operation, []).append((status, body))

    def refuse(self, operation, name, message="no", status=400, times=1):
        for _ in range(times):
            self.answer(operation, status, {"__type": name, "message": message})

    def called(self, operation):
        with self.changed:
            return [call for call in self.calls if call[1] == operation]

    def wait_call(self, operation, count=1, timeout=DEADLINE, match=None):
        """Waits until the operation was called `count` times (with bodies that match); the last of these bodies."""
        until = time.monotonic() + timeout
        with self.changed:
            while True:
                found = [call[2] for call in self.calls if call[1] == operation and (not match or match(call[2]))]
                if len(found) >= count:
                    return found[count - 1]
                left = until - time.monotonic()
                assert left > 0, f"{operation}: {len(found)} calls of {count} within {timeout} s"
                self.changed.wait(left)

    def _default(self, operation, body):
        if operation == "RegisterContainerInstance":
            attributes = body["attributes"] + [{"name": "ecs.availability-zone", "value": "us-west-2a"}]
            return 200, {"containerInstance": {"containerInstanceArn": body.get("containerInstanceArn", INSTANCE),
                                               "status": "ACTIVE", "attributes": attributes}}
        if operation == "DiscoverPollEndpoint":
            return 200, {"endpoint": f"{self.url}{self.endpoint_path}",
                         "telemetryEndpoint": f"{self.url}{self.endpoint_path}"}
        if operation == "CreateCluster":
            return 200, {"cluster": {"clusterName": body["clusterName"]}}
        return 200, {"acknowledgment": "ok"}

    # -- the machinery

    def is_telemetry(self, connection):
        return "cluster" in connection.params

    def _accept(self):
        while not self.stopping:
            try:
                sock, _ = self.server.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        if self.tls:
            try:
                sock = self.tls.wrap_socket(sock, server_side=True)
            except OSError:
                return
        stream = sock.makefile("rb")
        try:
            while True:
                request = stream.readline().decode().split()
                if not request:
                    return
                if request[1].startswith("http://"):  # through a proxy
                    request[1] = "/" + request[1].split("/", 3)[3]
                headers = {}
                while (line := stream.readline().decode().strip()):
                    name, _, value = line.partition(":")
                    headers[name.lower()] = value.strip()
                if request[0] == "GET":
                    self._upgrade(sock, request[1], headers)
                    return
                body = stream.read(int(headers.get("content-length", 0)))
                self._call(sock, request[1], headers, body)
        except OSError:
            pass

    def _call(self, sock, path, headers, body):
        operation = headers["x-amz-target"].split(".", 1)[1]
        assert path == "/" and headers["content-type"] == "application/x-amz-json-1.1"
        wrong = wrong_with("POST", path, "", headers, hashlib.sha256(body).hexdigest())
        if wrong:
            self.bad_signatures.append(wrong)
        decoded = json.loads(body)
        self.before_answer(operation)
        with self.changed:
            scripted = self.answers.get(operation)
            if callable(scripted):
                status, answer = scripted(decoded)
            else:
                status, answer = scripted.pop(0) if scripted else self._default(operation, decoded)
            self.calls.append((time.monotonic(), operation, decoded, headers))
            self.changed.notify_all()
        text = json.dumps(answer).encode()
        sock.sendall(b"HTTP/1.1 %d x\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: %d\r\n\r\n"
                     % (status, len(text)) + text)

    def _upgrade(self, sock, target, headers):
        path, _, query = target.partition("?")
        wrong = wrong_with("GET", path, query, headers, EMPTY_HASH)
        if wrong:
            self.bad_signatures.append(wrong)
        channel = self.acs if "clusterArn=" in query else self.tcs
        channel.attempts.append((time.monotonic(), query))
        refusal = channel.refusals.pop(0) if channel.refusals else channel.refuse_all
        if refusal:
            status, body = refusal
            sock.sendall(b"HTTP/1.1 %d x\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close"
                         b"\r\n\r\n" % (status, len(body)) + body.encode())
            sock.close()
            return
        accept = base64.b64encode(hashlib.sha1((headers["sec-websocket-key"] + GUID).encode()).digest()).decode()
        sock.sendall(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
                      f"Sec-WebSocket-Accept: {accept}\r\n\r\n").encode())
        channel.connections.put(Connection(self, sock, path, query, headers))
