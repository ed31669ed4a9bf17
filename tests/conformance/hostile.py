# SPDX-License-Identifier: Apache-2.0
"""A scripted control plane that does not play by the rules, and what is looked at after it."""
import contextlib
import os
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest

import peer as peers
from messages import ack, of_task, payload, task

SANITIZED = "ASAN_OPTIONS" in os.environ
MEMORY = 8 << 20  # more than an agent that is well needs for whatever is done to it


class Line:
    """A socket on which the peer's next answer is sent in a way of its own."""

    def __init__(self, peer, sock):
        self.peer, self.sock, self.what = peer, sock, None

    def __getattr__(self, name):
        return getattr(self.sock, name)

    def sendall(self, data):
        what, self.what = self.what, None
        ways = self.peer.ways.get(what)
        way = ways.pop(0) if ways else self.peer.every_way.get(what)
        if way:
            self.peer.used.append((what, way))
            way(self.sock, data)
        else:
            self.sock.sendall(data)


class HostilePeer(peers.Peer):
    """
    `ways`: operation, or "ACS" or "TCS" for the handshake, -> functions of the socket and the true answer; each is used once, in
    turn. `every_way`: for all others.
    """

    def __init__(self):
        self.ways, self.every_way, self.used = {}, {}, []
        super().__init__()

    def _serve(self, sock):
        super()._serve(Line(self, sock))

    def _call(self, sock, path, headers, body):
        sock.what = headers["x-amz-target"].split(".", 1)[1]
        super()._call(sock, path, headers, body)
        sock.what = None

    def _upgrade(self, sock, target, headers):
        sock.what = "ACS" if "clusterArn=" in target else "TCS"
        super()._upgrade(sock, target, headers)


# -- ways of answering


def says(data, then="close"):
    """Sends these bytes in place of the answer; then the connection ends, is reset, or stays ("keep")."""
    def way(sock, _answer):
        with contextlib.suppress(OSError):  # the agent may have had enough of it
            sock.sendall(data)
        end(sock, then)
    return way


def cut(size, then="close"):
    """The first bytes of the true answer."""
    def way(sock, answer):
        sock.sendall(answer[:size])
        end(sock, then)
    return way


def byte_by_byte(pause=0.0002):
    def way(sock, answer):
        for byte in answer:
            sock.sendall(bytes([byte]))
            time.sleep(pause)
    return way


def endless(head, part, limit=64 << 20, pause=0):
    """Never ends, as long as the agent reads. A peer that got rid of `limit` was not stopped: that fails the test."""
    def way(sock, _answer):
        sent = 0
        with contextlib.suppress(OSError):
            sock.sendall(head)
            while sent < limit:
                sock.sendall(part)
                sent += len(part)
                time.sleep(pause)
            way.all_sent = True
        end(sock, "close")
    way.all_sent = False
    return way


HELD = []  # sockets on which nothing more is said, and which do not end


def end(sock, how):
    """As "close", "reset", or "keep": never. Nothing is read from it any more."""
    if how == "keep":
        HELD.append(sock)
    else:
        with contextlib.suppress(OSError):
            if how == "reset":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                os.close(sock.detach())  # close() would wait for who reads from it
            else:
                sock.shutdown(socket.SHUT_RDWR)
    raise OSError("the peer has ended it")


def http(status, body=b"", headers=(), length=None):
    lines = [b"HTTP/1.1 %d x" % status, *headers, b"Content-Length: %d" % (len(body) if length is None else length)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def vanish(connection):
    """As if the other host lost its power: neither FIN nor RST says so."""
    connection.is_quiet = True
    time.sleep(0.3)  # what was said is acknowledged by then: nobody is asked who would answer with RST
    connection.sock.setsockopt(socket.IPPROTO_TCP, 19, 1)  # TCP_REPAIR
    connection.reset()


class Trap:
    """Nobody may come here."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}"
        self.came = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                self.server.accept()[0].close()
                self.came += 1


# -- TLS


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self, directory):
        self.directory = directory
        self.file = os.path.join(directory, "ca.pem")
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                      "-subj", "/CN=the test's authority", "-keyout", "ca.key", "-out", "ca.pem")

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.directory, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    def context(self, name, days=2, self_signed=False):
        """A server's, with a certificate for `name` (as in "DNS:localhost")."""
        base = name.replace(":", "-") + f"{days}{self_signed}"
        paths = [os.path.join(self.directory, f"{base}.{suffix}") for suffix in ("pem", "key")]
        if self_signed:
            self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                          "-subj", "/CN=localhost", "-addext", f"subjectAltName={name}", "-keyout", paths[1], "-out", paths[0])
        else:
            with open(os.path.join(self.directory, "extensions"), "w") as file:
                file.write(f"subjectAltName={name}\n")
            self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost",
                          "-keyout", paths[1], "-out", f"{base}.csr")
            self._openssl("x509", "-req", "-in", f"{base}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                          "-days", str(days), "-extfile", "extensions", "-out", paths[0])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*paths)
        return context


class TlsFront:
    """TLS in front of a peer."""

    def __init__(self, peer, context):
        self.peer, self.context = peer, context
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://localhost:{self.server.getsockname()[1]}"
        self.came = self.said = 0  # connections, and bytes of agents
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self.server.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=(self.server.accept()[0],), daemon=True).start()

    def _serve(self, sock):
        self.came += 1
        try:
            agent = self.context.wrap_socket(sock, server_side=True)
        except OSError:  # of which ssl.SSLError is one
            return
        control = socket.create_connection(("127.0.0.1", self.peer.port))
        for source, target in ((agent, control), (control, agent)):
            threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    def _carry(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.said += len(data) if isinstance(source, ssl.SSLSocket) else 0
                target.sendall(data)
        for end_ in (source, target):
            with contextlib.suppress(OSError):
                end_.shutdown(socket.SHUT_RDWR)


# -- what must not change


class Watch:
    """An agent before: afterwards it is the same process, with no more files open, and as much memory."""

    def __init__(self, agent):
        self.agent, self.pid = agent, agent.process.pid
        self.files, self.memory = self._files(), self._memory()

    def _files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def _memory(self):
        with open(f"/proc/{self.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def check(self, slack=9):
        """`slack`: connections that are kept for the next call (8), and a session more."""
        assert self.agent.is_running() and self.agent.process.pid == self.pid
        until = time.monotonic() + 30
        while self._files() > self.files + slack and time.monotonic() < until:
            time.sleep(0.05)
        assert self._files() <= self.files + slack, f"{self.files} files were open, now {self._files()}"
        grown = self._memory() - self.memory
        print(f"memory: {self.memory >> 10} KiB, grown by {grown >> 10} KiB")
        assert SANITIZED or grown < MEMORY, f"the agent has grown by {grown >> 20} MiB"


# -- fixtures, for the files that import them


@pytest.fixture
def peer(agent_program):
    control = HostilePeer()
    yield control
    control.stop()
    for sock in HELD:
        sock.close()
    HELD.clear()
    assert control.bad_signatures == []


def session(peer):
    """The next ACS session, which says often enough that it lives (but nothing that is answered), until it `is_quiet`."""
    acs = peer.acs.next()
    acs.is_quiet = False

    def live():
        with contextlib.suppress(OSError):
            while acs.closed is None and not acs.is_quiet:
                acs.say("ErrorMessage", {"message": "x"})
                time.sleep(0.1)
    threading.Thread(target=live, daemon=True).start()
    return acs


def run_task(acs, peer, name):
    """A task as any other: taken, and over when it is to stop."""
    for number, desired in enumerate(("RUNNING", "STOPPED")):
        payload(acs, f"{name}-{desired}", task(name, desired=desired), seq=number + 1)
        while acs.next(kind="AckRequest")["message"] != ack(f"{name}-{desired}"):
            pass
    peer.wait_call("SubmitTaskStateChange", match=of_task(name, "STOPPED"))


class Sturdy:
    """An agent that has had a session and a task, and takes another after whatever was done to it."""

    def __init__(self, agent, peer):
        self.agent, self.peer = agent, peer
        self.acs = session(peer)
        run_task(self.acs, peer, "first")
        self.watch = Watch(agent)

    def session(self):
        """The next one, after the last one ended."""
        self.acs.wait_closed()
        self.acs = session(self.peer)
        return self.acs

    def again(self):
        """The same; and the next end is again the first one."""
        self.session().close(1000)
        return self.session()

    def goes_on(self):
        run_task(self.acs, self.peer, "last")
        self.watch.check()


@pytest.fixture
def sturdy(agent, peer):
    """Silence of one to two seconds ends a session of this one, and it is back within some milliseconds."""
    return Sturdy(agent.start(BERTH_TIME_SCALE=60), peer)
