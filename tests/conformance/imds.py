# SPDX-License-Identifier: Apache-2.0
"""A scripted instance metadata service of EC2, version 2, on a port of loopback."""
import http.server
import threading

MAC = "02:00:00:00:00:07"
NETWORK = f"/latest/meta-data/network/interfaces/macs/{MAC}"
TOKEN = "AQAEAtoken=="


class Imds:
    """
    `files`: what is where. A value is the body, a status (int), or a list of them: each is answered once, the last one always.
    What is not there is a 404.
    """

    def __init__(self, instance_id="i-07"):
        self.files = {
            "/latest/meta-data/instance-id": instance_id,
            "/latest/meta-data/mac": MAC,
            f"{NETWORK}/vpc-id": "vpc-1",
            f"{NETWORK}/subnet-id": "subnet-1",
            "/latest/meta-data/placement/availability-zone-id": "usw2-az1",
            "/latest/dynamic/instance-identity/document": '{\n  "instanceId" : "%s"\n}' % instance_id,
            "/latest/dynamic/instance-identity/signature": "QUJD\nREVG",
        }
        self.asked = []  # every path, in order
        self.unasked_for = []  # questions without a token
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def _next(self, path):
        answer = self.files.get(path, 404)
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        return (answer, b"") if isinstance(answer, int) else (200, answer.encode())

    def _handler(imds):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def _answer(self, status, body, **headers):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_PUT(self):
                assert self.path == "/latest/api/token"
                self._answer(200, TOKEN.encode(), X_Aws_Ec2_Metadata_Token_Ttl_Seconds="300")

            def do_GET(self):
                imds.asked.append(self.path)
                if self.headers.get("X-aws-ec2-metadata-token") != TOKEN:
                    imds.unasked_for.append(self.path)
                    self._answer(401, b"")
                else:
                    self._answer(*imds._next(self.path))
        return Handler
