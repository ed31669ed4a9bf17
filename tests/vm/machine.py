# SPDX-License-Identifier: Apache-2.0
"""A guest of QEMU that runs one command and ends. It is emulated: some ten times slower than the host, and it runs anywhere."""
import ctypes
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from .image import Unavailable, image

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.path.join(ROOT, "build", "vm")
QEMU = "qemu-system-x86_64"
VIRTIOFSD = "/usr/lib/qemu/virtiofsd"
MEMORY_MB = 1536
PR_SET_PDEATHSIG = 1
KILLED = 124  # as timeout(1)
LIBC = ctypes.CDLL(None)


def _die_with_parent():
    """However this program ends, the guest does, too."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Machine:
    """
    Its root is this machine's, which it mounts read only, with memory above it: what it writes is gone with it. It has no
    network but what it makes itself.
    """

    def __init__(self, job, arguments="", console=None):
        """`job`: a script for sh. `arguments`: more of the kernel's command line. `console`: a file for what the kernel says."""
        for tool in (QEMU, VIRTIOFSD):
            if not shutil.which(tool):
                raise Unavailable(f"{tool} is not installed")
        if os.geteuid() != 0:
            raise Unavailable("the host's root directory is shared with the guest, which needs root")
        self.image = image(CACHE)
        self.directory = tempfile.mkdtemp(prefix="job-", dir=CACHE)
        self.mark = secrets.token_hex(16)
        self.console = console or os.path.join(self.directory, "console")
        self.socket = os.path.join(self.directory, "fs")
        with open(os.path.join(self.directory, "job"), "w") as file:
            file.write(job)
        self.arguments = " ".join([
            "console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off nokaslr random.trust_cpu=on",
            f"berth.mark={self.mark} berth.tree={ROOT} berth.modules={self.image.directory}",
            f"berth.job={os.path.relpath(os.path.join(self.directory, 'job'), ROOT)}", arguments])
        self.children = []

    def _start(self, argv, **more):
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=_die_with_parent, **more)
        self.children.append(child)
        return child

    def _share(self):
        with open(os.path.join(self.directory, "virtiofsd.log"), "w") as log:
            daemon = self._start([VIRTIOFSD, "-f", f"--socket-path={self.socket}", "-o", "source=/", "-o", "cache=always",
                                  "-o", "sandbox=chroot", "--rlimit-nofile=0"], stdout=log, stderr=log)
        end = time.monotonic() + 20
        while not os.path.exists(self.socket):
            if daemon.poll() is not None or time.monotonic() > end:
                raise Unavailable(f"virtiofsd: {self._text('virtiofsd.log')}")
            time.sleep(0.01)

    def _text(self, name):
        with open(os.path.join(self.directory, name), errors="replace") as file:
            return file.read()[-2000:]

    def _boot(self):
        return self._start([
            QEMU, "-machine", "q35,accel=tcg,memory-backend=memory", "-cpu", "max", "-smp", "2", "-m", str(MEMORY_MB),
            "-object", f"memory-backend-memfd,id=memory,size={MEMORY_MB}M,share=on",
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-serial", f"file:{self.console}", "-serial", "stdio",
            "-kernel", self.image.kernel, "-initrd", self.image.initrd, "-append", self.arguments,
            "-chardev", f"socket,id=fs,path={self.socket}", "-device", "vhost-user-fs-pci,chardev=fs,tag=host",
        ], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def run(self, seconds, out=sys.stdout):
        """Boots, writes to `out` what the job says, and returns its exit status; 124 when `seconds` have passed."""
        try:
            self._share()
            guest = self._boot()
            return self._follow(guest, time.monotonic() + seconds, out)
        finally:
            self._end()

    def _follow(self, guest, end, out):
        source = guest.stdout.fileno()
        rest = b""
        while time.monotonic() < end:
            if not select.select([source], [], [], 1)[0]:
                continue
            data = os.read(source, 65536)
            if not data:
                raise RuntimeError(f"the guest ended before its job: {rest.decode(errors='replace')}\n{self._text('console')}")
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                text = line.decode(errors="replace").rstrip("\r")
                if text.startswith(self.mark):
                    return int(text.split()[1])
                print(text, file=out, flush=True)
        print(rest.decode(errors="replace"), file=out, flush=True)
        return KILLED

    def _end(self):
        for child in reversed(self.children):
            child.kill()
            child.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
