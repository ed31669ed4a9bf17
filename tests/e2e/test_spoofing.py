# SPDX-License-Identifier: Apache-2.0
"""What a task that lies to its network does to the others: nothing. Each pair of links ends at the host, which routes."""
import json
import socket
import struct
import subprocess

from tests.e2e.test_endpoints import PYTHON, inside
from tests.e2e.test_first_task import FOREVER, WEB, address, main_pid
from tests.lab.berth import wait_for

SEND = """
import socket, sys
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(("eth0", 0))
for line in sys.stdin:
    wire.send(bytes.fromhex(line))
"""
# Prints each frame that comes in, until the last one has.
HEAR = """
import socket, sys
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.bind(("eth0", 0))
wire.settimeout(30)
print("ready", flush=True)
while True:
    frame, where = wire.recvfrom(65536)
    if where[2] == 4:  # what leaves
        continue
    print(frame.hex(), flush=True)
    if b"the end" in frame:
        break
"""
EVERYBODY, ALL_NODES = "ffffffffffff", "333300000001"


def ethernet(to, source, kind, payload):
    return bytes.fromhex(to.replace(":", "")) + bytes.fromhex(source.replace(":", "")) + struct.pack("!H", kind) + payload


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


def udp(source, to, data, ports=(4000, 4000)):
    """An IPv4 packet; no checksum of UDP is one, too."""
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + len(data), 1, 0, 64, 17, 0, socket.inet_aton(source),
                       socket.inet_aton(to))
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return head + struct.pack("!HHHH", *ports, 8 + len(data), 0) + data


def arp_reply(mac, claimed, data):
    own = bytes.fromhex(mac.replace(":", "")) + socket.inet_aton(claimed)
    return struct.pack("!HHBBH", 1, 0x800, 6, 4, 2) + own + own + data


def router_advertisement(mac, data):
    source, to = socket.inet_pton(socket.AF_INET6, "fe80::bad"), socket.inet_pton(socket.AF_INET6, "ff02::1")
    option = bytes([1, 1]) + bytes.fromhex(mac.replace(":", ""))
    data += bytes(-len(data) % 2)
    body = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + option + data
    pseudo = source + to + struct.pack("!II", len(body), 58)
    body = body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
    return struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + source + to + body


def offer(mac, given, data):
    """What a DHCP server says."""
    head = struct.pack("!BBBBIHH4s4s4s4s16s", 2, 1, 6, 0, 1, 0, 0x8000, bytes(4), socket.inet_aton(given), bytes(4), bytes(4),
                       bytes.fromhex(mac.replace(":", "")) + bytes(10))
    return head + bytes(192) + b"\x63\x82\x53\x63\x35\x01\x02\xff" + data


class Task:
    def __init__(self, host, command):
        definition = host.define("spoofing", [{"image": host.image, "command": command}])
        self.described = host.wait_ready(host.run(definition)[0])
        self.pid = main_pid(host, self.described["taskArn"])
        self.address = address(self.described)
        self.mac = json.loads(self.run("ip", "-j", "link", "show", "eth0"))[0]["address"]
        gateway = next(route["gateway"] for route in json.loads(self.run("ip", "-j", "route")) if "gateway" in route)
        self.host_mac = next(row["lladdr"] for row in json.loads(self.run("ip", "-j", "neigh")) if row["dst"] == gateway)

    def run(self, *argv):
        return inside(self.pid, *argv)

    def shape(self):
        # The kernel may still be looking for another with the link's own address.
        return [self.run("ip", "-o", *what).replace(" tentative", "") for what in (["address"], ["route"], ["-6", "route"])]

    def hears(self):
        process = subprocess.Popen(["nsenter", "-t", str(self.pid), "-n", PYTHON, "-c", HEAR], stdout=subprocess.PIPE,
                                   text=True)
        assert process.stdout.readline() == "ready\n"
        return process

    def sends(self, frames):
        subprocess.run(["nsenter", "-t", str(self.pid), "-n", PYTHON, "-c", SEND], input="\n".join(frames), text=True,
                       check=True)


def host_shape(victim):
    """Routes of the host, and where it thinks the victim is."""
    shape = [subprocess.run(["ip", *what], stdout=subprocess.PIPE, check=True).stdout
             for what in (["route"], ["-6", "route", "show", "default"])]
    neighbours = json.loads(subprocess.run(["ip", "-j", "neigh"], stdout=subprocess.PIPE, check=True).stdout)
    return shape + [[(row["dev"], row["lladdr"], row["state"]) for row in neighbours if row["dst"] == victim.address]]


def test_a_task_that_lies_harms_nobody(host):
    """net-T58: an address, a MAC, an ARP reply, a router advertisement and a DHCP server that are not what they say."""
    liar, victim, friend = Task(host, FOREVER), Task(host, WEB), Task(host, FOREVER)
    before = victim.shape() + friend.shape() + host_shape(victim)
    ear = victim.hears()
    packet = udp(liar.address, victim.address, b"its own address")
    frames = {
        # Dropped by rp_filter of the host's end: the way back to the source is not by that link.
        "another's address": ethernet(liar.host_mac, liar.mac, 0x800, udp(friend.address, victim.address, b"a lie 1")),
        # Of no effect: the frame ends at the host, which sends another one. One that is not for it ends there, too.
        "another's MAC": ethernet(liar.host_mac, friend.mac, 0x800, udp(liar.address, victim.address, b"which MAC")),
        "the victim's MAC": ethernet(victim.mac, liar.mac, 0x800, udp(liar.address, victim.address, b"a lie 2")),
        # Not passed on: there is no bridge. The host does not learn from it, its entries are permanent.
        "an ARP reply": ethernet(EVERYBODY, liar.mac, 0x806, arp_reply(liar.mac, victim.address, b"a lie 3")),
        "one to the host": ethernet(liar.host_mac, liar.mac, 0x806, arp_reply(liar.mac, victim.address, b"a lie 4")),
        # Not passed on, and not taken: accept_ra is 0 where IPv6 is on at all.
        "a router": ethernet(ALL_NODES, liar.mac, 0x86dd, router_advertisement(liar.mac, b"a lie 5")),
        # Not passed on: a broadcast is for the link.
        "a DHCP server": ethernet(EVERYBODY, liar.mac, 0x800, udp(liar.address, "255.255.255.255",
                                                                   offer(victim.mac, "10.99.0.250", b"a lie 6"), (67, 68))),
        "itself": ethernet(liar.host_mac, liar.mac, 0x800, packet),
        "the end": ethernet(liar.host_mac, liar.mac, 0x800, udp(liar.address, victim.address, b"the end")),
    }
    liar.sends(frame.hex() for frame in frames.values())
    heard = [bytes.fromhex(line) for line in ear.communicate(timeout=60)[0].split()]
    assert not [frame for frame in heard if b"a lie" in frame]
    assert any(b"its own address" in frame for frame in heard)
    about_mac = next(frame for frame in heard if b"which MAC" in frame)
    assert about_mac[6:12].hex(":") == victim.host_mac, "the host's end, whatever the liar says"
    assert victim.shape() + friend.shape() + host_shape(victim) == before
    # Who was said to be elsewhere is where it was.
    ask = (f"import socket; c = socket.create_connection(('{victim.address}', 80), 30); "
           "c.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n'); print(c.makefile().read())")
    wait_for("the victim's answer", lambda: "hello from berth" in friend.run(PYTHON, "-c", ask))
