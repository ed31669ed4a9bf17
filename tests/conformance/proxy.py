# SPDX-License-Identifier: Apache-2.0
"""A proxy of HTTP (CONNECT, and requests with a whole URL) or SOCKS 5 that knows a name nobody else does: that of the peer."""
import base64
import socket
import threading
import urllib.parse

NAME = "peer.test"


class Proxy:
    def __init__(self, kind, user=None):
        self.kind, self.user = kind, user
        self.led = []       # (how, "host:port") of everything that it led on
        self.refuse = None  # an answer to CONNECT, in the place of 200
        self.server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.place = "127.0.0.1:%d" % self.server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self.server.close()

    def _accept(self):
        while True:
            try:
                sock, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            (self._socks if self.kind == "socks5" else self._http)(sock)
        except (OSError, AssertionError):
            sock.close()

    def _lead(self, how, host, port):
        self.led.append((how, f"{host}:{port}"))
        assert host == NAME or host.endswith(".test"), host
        return socket.create_connection(("127.0.0.1", int(port)))

    def _socks(self, sock):
        stream = sock.makefile("rb")
        wanted = 2 if self.user else 0
        version, methods = stream.read(2)
        assert version == 5 and wanted in stream.read(methods)
        sock.sendall(bytes([5, wanted]))
        if self.user:
            _, size = stream.read(2)
            user = stream.read(size)
            given = user + b":" + stream.read(stream.read(1)[0])
            good = given.decode() == self.user
            sock.sendall(bytes([1, 0 if good else 1]))
            assert good
        assert stream.read(4) == b"\x05\x01\x00\x03", "a name, not an address"
        host = stream.read(stream.read(1)[0]).decode()
        other = self._lead("SOCKS", host, int.from_bytes(stream.read(2), "big"))
        sock.sendall(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50")
        self._pipe(sock, other)

    def _http(self, sock):
        head = b""
        while b"\r\n\r\n" not in head:
            part = sock.recv(65536)
            if not part:
                return
            head += part
        head, _, rest = head.partition(b"\r\n\r\n")
        method, target, *_ = head.split(b"\r\n")[0].decode().split()
        if self.user:
            given = b"Proxy-Authorization: Basic " + base64.b64encode(self.user.encode())
            if given not in head.split(b"\r\n"):
                sock.sendall(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")
                return
        if method == "CONNECT":
            if self.refuse:
                sock.sendall(self.refuse)
                return
            other = self._lead("CONNECT", *target.rsplit(":", 1))
            sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            url = urllib.parse.urlsplit(target)
            other = self._lead(method, url.hostname, url.port)
            other.sendall(head + b"\r\n\r\n")  # the peer knows what to do with it, and with those that follow
        other.sendall(rest)
        self._pipe(sock, other)

    def _pipe(self, one, other):
        def copy(source, target):
            try:
                while part := source.recv(65536):
                    target.sendall(part)
                target.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        threading.Thread(target=copy, args=(other, one), daemon=True).start()
        copy(one, other)
