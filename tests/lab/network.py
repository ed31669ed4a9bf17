# SPDX-License-Identifier: Apache-2.0
"""A network namespace of one's own, and all that is in it: where nobody else works, what is there more than before is left."""
import concurrent.futures
import ctypes
import json
import os
import socket
import struct
import subprocess

from . import leaks

CLONE_NEWNET = 0x40000000
NETLINK_NETFILTER, CONNTRACK_GET_DUMP, NLM_F_REQUEST, NLM_F_DUMP, NLMSG_ERROR, NLMSG_DONE = 12, 0x0101, 1, 0x300, 2, 3
CTA_ZONE, NLA_TYPE = 18, 0x3FFF
SECONDS = 30  # the kernel takes its time with what nobody holds any more


def enter_own():
    """From here on this process, and those that it starts, are on a host that has nothing but an address that it talks to its
    tasks from. OSError where the kernel does not let it."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    for line in ("link set lo up", "address add 192.0.2.1/32 dev lo"):
        subprocess.run(["ip", *line.split()], check=True)


def inside(path, work):
    """What work() returns, of the network namespace at `path`: of this process only a thread goes there, and ends with it."""
    def enter():
        with open(path) as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET) < 0:
                error = ctypes.get_errno()
                raise OSError(error, os.strerror(error))
        return work()
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(enter).result()


def _json(*argv):
    return json.loads(subprocess.run(argv, stdout=subprocess.PIPE, check=True, text=True).stdout or "[]")


def zones():
    """How many flows the kernel follows in each zone of connection tracking, 0 aside."""
    found = {}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as netlink:
        netlink.bind((0, 0))
        netlink.send(struct.pack("=IHHIIBBH", 20, CONNTRACK_GET_DUMP, NLM_F_REQUEST | NLM_F_DUMP, 1, 0, 0, 0, 0))
        while True:
            data, at = netlink.recv(1 << 18), 0
            while at < len(data):
                length, kind = struct.unpack_from("=IH", data, at)
                if kind == NLMSG_ERROR:
                    error = -struct.unpack_from("=i", data, at + 16)[0]
                    raise OSError(error, os.strerror(error))
                if kind == NLMSG_DONE:
                    return found
                attribute = at + 20
                while attribute < at + length:
                    size, name = struct.unpack_from("=HH", data, attribute)
                    if name & NLA_TYPE == CTA_ZONE:
                        zone = struct.unpack_from("!H", data, attribute + 4)[0]
                        found[zone] = found.get(zone, 0) + 1
                    attribute += (size + 3) & ~3
                at += (length + 3) & ~3


def links_and_addresses():
    links = _json("ip", "-j", "address")
    return {f"link {link['ifname']}" for link in links} | {
        f"address {address['local']} of {link['ifname']}" for link in links for address in link["addr_info"]}


def routes():
    return {f"route {json.dumps({**route, 'flags': []})}"  # a link may be down for a moment
            for route in _json("ip", "-j", "route", "show", "table", "all")}


def routing_rules():
    return {f"rule {family} {json.dumps(rule)}" for family in ("-4", "-6") for rule in _json("ip", "-j", family, "rule")}


def nft_objects(**instead):
    """Of nftables, with this in the place of what they have: handle=0."""
    return {f"nft {kind} {json.dumps({**item, **instead})}" for each in _json("nft", "-j", "list", "ruleset")["nftables"]
            for kind, item in each.items() if kind != "metainfo"}


def everything():
    """Every link, address, route, rule of routing, neighbour, object of nftables and zone of this network, as texts."""
    found = links_and_addresses() | routes() | routing_rules() | nft_objects()
    found |= {f"neighbour {each['dst']} of {each['dev']}" for each in _json("ip", "-j", "neighbour")}
    return found | {f"{count} flows in conntrack zone {zone}" for zone, count in zones().items()}


def left(before):
    """
    What is there now and was not in everything() before, once agents and their tasks have ended. Bridges and the skeletons of
    tables, which agents keep for the next container, are first looked into for what is of a container, then removed.
    """
    kept = sorted(leaks.rules())
    ports = [f"{link['ifname']}, a port of {link['master']}" for link in _json("ip", "-j", "link") if "master" in link]
    leaks.remove_bridges()
    return kept + ports + leaks.difference(before, everything, SECONDS)
