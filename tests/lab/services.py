# SPDX-License-Identifier: Apache-2.0
"""A containerd and a registry of our own."""
import os
import socket
import subprocess
import urllib.error
import urllib.request

from . import images
from .processes import Daemon, free_port, wait_for

PLUGINS_OFF = ("io.containerd.grpc.v1.cri io.containerd.snapshotter.v1.aufs io.containerd.snapshotter.v1.btrfs "
               "io.containerd.snapshotter.v1.devmapper io.containerd.snapshotter.v1.native "
               "io.containerd.snapshotter.v1.zfs io.containerd.internal.v1.opt io.containerd.internal.v1.restart "
               "io.containerd.internal.v1.tracing io.containerd.tracing.processor.v1.otlp").split()


class Containerd:
    """For images and snapshots only: Berth runs its containers itself. With a `size` its content is on a disk that small."""

    def __init__(self, directory, size=None):
        self.directory, self.size = directory, size
        self.root = os.path.join(directory, "root")
        self.address = os.path.join(directory, "c.sock")
        os.makedirs(self.root, exist_ok=True)
        config = os.path.join(directory, "config.toml")
        with open(config, "w") as file:
            file.write(f'version = 2\nroot = "{self.root}"\nstate = "{directory}/state"\n'
                       f'disabled_plugins = {PLUGINS_OFF!r}\n[grpc]\n  address = "{self.address}"\n'.replace("'", '"'))
        self.daemon = Daemon("containerd", ["containerd", "-c", config, "-l", "warn"],
                             os.path.join(directory, "containerd.log"))

    def start(self):
        if self.size and not os.path.ismount(self.root):
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.size}", "berth-lab", self.root], check=True)
        self.daemon.start()
        wait_for("containerd", lambda: self.ctr("version", check=False).returncode == 0)
        return self

    def ctr(self, *arguments, namespace="berth", check=True):
        return subprocess.run(["ctr", "--address", self.address, "--namespace", namespace, *arguments], timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=check)

    def names(self, namespace="berth"):
        """The names of the images that it has."""
        return set(self.ctr("images", "ls", "-q", namespace=namespace).stdout.split())

    def blobs(self, namespace="berth"):
        """The digests of the content that it has: manifests, configurations, layers."""
        return set(self.ctr("content", "ls", "-q", namespace=namespace).stdout.split())

    def stop(self):
        self.daemon.stop()
        if self.size and os.path.ismount(self.root):
            subprocess.run(["umount", self.root], check=True)


class Registry:
    """Debian's docker-registry on loopback: plain, or over TLS with basic auth."""

    def __init__(self, directory, user=None, password=None, tls=False):
        self.directory, self.user, self.password = directory, user, password
        os.makedirs(directory, exist_ok=True)
        self.port = free_port()
        self.host = f"localhost:{self.port}" if tls else f"127.0.0.1:{self.port}"
        self.ca = None
        text = (f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
                f"storage: {{filesystem: {{rootdirectory: {directory}/data}}, delete: {{enabled: true}}}}\n"
                f"http:\n  addr: 127.0.0.1:{self.port}\n")
        if tls:
            self.ca, key = os.path.join(directory, "cert.pem"), os.path.join(directory, "key.pem")
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", self.ca,
                            "-days", "2", "-subj", "/CN=localhost", "-addext",
                            "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, stderr=subprocess.DEVNULL)
            text += f"  tls: {{certificate: {self.ca}, key: {key}}}\n"
        if user:
            passwords = os.path.join(directory, "htpasswd")
            subprocess.run(["htpasswd", "-Bbc", passwords, user, password], check=True, stderr=subprocess.DEVNULL)
            text += f"auth: {{htpasswd: {{realm: berth, path: {passwords}}}}}\n"
        config = os.path.join(directory, "config.yml")
        with open(config, "w") as file:
            file.write(text)
        self.daemon = Daemon("registry", ["docker-registry", "serve", config], os.path.join(directory, "registry.log"))

    def start(self):
        self.daemon.start()
        wait_for("the registry", self.answers)
        return self

    def answers(self):
        with socket.create_connection(("127.0.0.1", self.port), 1):
            pass
        try:
            self.client().call("GET", "/v2/")
        except urllib.error.HTTPError as error:
            return error.code in (200, 401)
        return True

    def client(self):
        scheme = "https" if self.ca else "http"
        return images.Client(f"{scheme}://{self.host}", self.user, self.password, self.ca)

    def image(self, repository, tag="1", **options):
        """Pushes an image and returns the reference that a task definition names."""
        self.client().push(repository, tag, **options)
        return f"{self.host}/{repository}:{tag}"

    def stop(self):
        self.daemon.stop()
