# SPDX-License-Identifier: Apache-2.0
"""Images made by hand and pushed through the registry's HTTP API: there is no registry on the internet to pull from."""
import base64
import gzip
import hashlib
import io
import json
import platform
import ssl
import struct
import tarfile
import urllib.request

BUSYBOX = "/bin/busybox"
APPLETS = ("sh cat echo sleep httpd ls ps kill true false env id mkdir touch head dd yes wget hostname ip ping nc test "
           "trap stat tail sync df mount printf seq rm chmod").split()
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def _add(tar, name, data=None, mode=0o755, link=None, kind=None):
    info = tarfile.TarInfo(name)
    info.mode = mode
    if link:
        info.type, info.linkname = tarfile.SYMTYPE, link
        tar.addfile(info)
    elif data is None:
        info.type = kind or tarfile.DIRTYPE
        tar.addfile(info)
    else:
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))


def layer(files=None, base=True):
    """A layer (gzipped tar, digest of the plain tar): busybox with its links when `base`, then `files` {path: bytes}."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        if base:
            for directory in ("bin", "etc", "proc", "sys", "dev", "tmp", "www", "run", "var"):
                _add(tar, directory, mode=0o1777 if directory == "tmp" else 0o755)
            with open(BUSYBOX, "rb") as file:
                _add(tar, "bin/busybox", file.read())
            for applet in APPLETS:
                _add(tar, f"bin/{applet}", link="busybox")
            _add(tar, "etc/passwd", b"root:x:0:0:root:/:/bin/sh\napp:x:1000:1000:app:/tmp:/bin/sh\n", 0o644)
            _add(tar, "etc/group", b"root:x:0:\napp:x:1000:\nextra:x:2000:app\n", 0o644)
            _add(tar, "www/index.html", b"hello from berth\n", 0o644)
        for path, data in (files or {}).items():
            _add(tar, path, data, 0o755)
    plain = raw.getvalue()
    return gzip.compress(plain, 1, mtime=0), "sha256:" + hashlib.sha256(plain).hexdigest()


def faulty_program():
    """A static program whose first act is to write where nothing is."""
    machine, code = {
        "x86_64": (62, b"\x31\xc0\x89\x00"),  # xor eax, eax; mov [rax], eax
        "aarch64": (183, b"\x00\x00\x80\xd2\x00\x00\x00\xb9"),  # mov x0, #0; str w0, [x0]
    }[platform.machine()]
    base, size = 0x400000, 64 + 56 + len(code)
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, base + 64 + 56, 64, 0, 0, 64, 56,
                                                           1, 0, 0, 0)
    return header + struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000) + code


def _digest(blob):
    return "sha256:" + hashlib.sha256(blob).hexdigest()


class Client:
    """As much of the registry's HTTP API as a push needs."""

    def __init__(self, url, user=None, password=None, ca=None):
        self.url = url.rstrip("/")
        self.headers = {}
        if user:
            token = base64.b64encode(f"{user}:{password}".encode()).decode()
            self.headers["Authorization"] = f"Basic {token}"
        self.context = ssl.create_default_context(cafile=ca) if ca else None

    def call(self, method, path, body=None, kind=None):
        url = path if path.startswith("http") else self.url + path
        headers = dict(self.headers)
        if kind:
            headers["Content-Type"] = kind
        request = urllib.request.Request(url, data=body, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=30, context=self.context) as answer:
            return dict(answer.headers), answer.read()

    def put_blob(self, repository, blob):
        headers, _ = self.call("POST", f"/v2/{repository}/blobs/uploads/", b"")
        where = headers["Location"]
        joint = "&" if "?" in where else "?"
        self.call("PUT", f"{where}{joint}digest={_digest(blob)}", blob, "application/octet-stream")
        return {"digest": _digest(blob), "size": len(blob)}

    def push(self, repository, tag, config=None, layers=None, architecture=ARCHITECTURE):
        """Pushes an image and returns its manifest's digest. `config` is the OCI config object (Cmd, Env, User, ...)."""
        layers = layers or [layer()]
        described = []
        for blob, _ in layers:
            described.append(dict(self.put_blob(repository, blob),
                                  mediaType="application/vnd.oci.image.layer.v1.tar+gzip"))
        settings = {"Env": ["PATH=/bin"], "Cmd": ["/bin/sh"]}
        settings.update(config or {})
        image = json.dumps({"architecture": architecture, "os": "linux", "config": settings,
                            "rootfs": {"type": "layers", "diff_ids": [plain for _, plain in layers]},
                            "history": [{"created_by": "berth"} for _ in layers]}).encode()
        manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST,
                               "config": dict(self.put_blob(repository, image),
                                              mediaType="application/vnd.oci.image.config.v1+json"),
                               "layers": described}).encode()
        self.call("PUT", f"/v2/{repository}/manifests/{tag}", manifest, MANIFEST)
        return _digest(manifest)
