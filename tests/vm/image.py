# SPDX-License-Identifier: Apache-2.0
"""What the guest is made of: Debian's kernel and modules, out of its package, and an initramfs that holds tests/vm/init.sh."""
import fcntl
import gzip
import os
import shutil
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = "linux-image-cloud-amd64"
BUSYBOX = "/bin/busybox"
NEEDED = ("virtio_pci", "virtiofs", "overlay")  # before the host's root is there


class Unavailable(Exception):
    """This machine cannot have a guest; why."""


def _run(*argv, **more):
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=300, **more)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{argv[0]}: {error}") from error
    if done.returncode:
        raise Unavailable(f"{' '.join(argv)}: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout


class Image:
    """One kernel, in a directory of its own: vmlinuz, initrd, lib/modules/<version>."""

    def __init__(self, directory):
        self.directory = directory
        self.kernel = os.path.join(directory, "vmlinuz")
        self.initrd = os.path.join(directory, "initrd")


def _package():
    """The kernel's package itself, which the one with the plain name depends on: that it asks for changes."""
    for line in _run("apt-cache", "depends", PACKAGE).splitlines():
        kind, _, name = line.strip().partition(": ")
        if kind == "Depends" and name.startswith("linux-image-"):
            return name
    raise Unavailable(f"{PACKAGE}: there is no such package")


def _unpack(package, directory):
    # Not as the user _apt, who could not write here.
    _run("apt-get", "-o", "APT::Sandbox::User=root", "download", package, cwd=directory)
    archives = [name for name in os.listdir(directory) if name.endswith(".deb")]
    _run("dpkg-deb", "-x", archives[0], directory, cwd=directory)
    os.unlink(os.path.join(directory, archives[0]))
    version, = os.listdir(os.path.join(directory, "lib", "modules"))
    shutil.move(os.path.join(directory, "boot", f"vmlinuz-{version}"), os.path.join(directory, "vmlinuz"))
    for name in ("boot", "usr"):
        shutil.rmtree(os.path.join(directory, name), ignore_errors=True)
    _run("depmod", "-b", directory, version)
    return version


def _entry(name, mode, data, inode):
    """One file of a cpio archive (format newc)."""
    name = name.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    return b"".join(part + b"\0" * (-len(part) % 4) for part in (head, data))


def _initramfs(directory, version):
    order = []
    for module in NEEDED:
        for line in _run("modprobe", "-d", directory, "-S", version, "--show-depends", module).splitlines():
            kind, _, path = line.strip().partition(" ")
            if kind == "insmod" and path not in order:
                order.append(path)
    names = [os.path.basename(path) for path in order]
    files = [(name, 0o40755, b"") for name in ("bin", "proc", "dev", "host", "memory", "root", "modules")]
    files.append(("modules/order", 0o100644, "\n".join(names).encode()))
    sources = [("init", os.path.join(HERE, "init.sh")), ("bin/busybox", BUSYBOX)]
    for name, path in sources + [(f"modules/{name}", path) for name, path in zip(names, order)]:
        with open(path, "rb") as file:
            files.append((name, 0o100755, file.read()))
    files.append(("TRAILER!!!", 0, b""))
    archive = b"".join(_entry(*file, inode) for inode, file in enumerate(files, 1))
    path = os.path.join(directory, "initrd")
    with open(path + ".new", "wb") as file:
        file.write(gzip.compress(archive, 1))
    os.replace(path + ".new", path)  # a guest may be starting from the old one


def _cached(cache):
    package = _package()
    directory = os.path.join(cache, package)
    if not os.path.isdir(directory):
        made = tempfile.mkdtemp(dir=cache)
        try:
            _unpack(package, made)
            os.rename(made, directory)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return directory


def image(cache):
    """The image of the newest kernel that apt knows, made once and kept in the directory `cache`."""
    for tool in ("apt-get", "dpkg-deb", "depmod", "modprobe", BUSYBOX):
        if not shutil.which(tool):
            raise Unavailable(f"{tool} is not installed")
    os.makedirs(cache, exist_ok=True)
    with open(os.path.join(cache, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            directory = _cached(cache)
        except Unavailable:  # apt's lists are missing, or older than the archive
            _run("apt-get", "-o", "DPkg::Lock::Timeout=600", "update")
            directory = _cached(cache)
        version, = os.listdir(os.path.join(directory, "lib", "modules"))
        _initramfs(directory, version)  # always: init.sh may have changed, and it takes no time
    return Image(directory)
