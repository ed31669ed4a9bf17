# SPDX-License-Identifier: Apache-2.0
"""
What identities cost: `python3 -m tests.bench.tls`. The same control plane with and without TLS: a new connection and one
call on it, memory of a connection that is open, and an enrolment. No root needed.
"""
import base64
import http.client
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time

from tests.lab.berth import Control

ROUNDS, OPEN = 300, 300


def pss(pid):
    """kB."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))


def connect(control, context):
    if context:
        return http.client.HTTPSConnection("127.0.0.1", control.port, context=context)
    return http.client.HTTPConnection("127.0.0.1", control.port)


def ask(connection):
    connection.request("GET", "/health")
    return connection.getresponse().read()


def measure(control, context):
    """Milliseconds of a new connection with a call, CPU milliseconds of the server for it, kB of an idle connection."""
    pid = control.daemon.pid
    times, before = [], cpu_ms(pid)
    for _ in range(ROUNDS):
        began = time.perf_counter()
        connection = connect(control, context)
        ask(connection)
        times.append((time.perf_counter() - began) * 1000)
        connection.close()
    used = (cpu_ms(pid) - before) / ROUNDS
    empty, connections = pss(pid), [connect(control, context) for _ in range(OPEN)]
    for connection in connections:
        ask(connection)
    grown = (pss(pid) - empty) / OPEN
    for connection in connections:
        connection.close()
    return statistics.median(times), used, grown


def cpu_ms(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def enrol(control, directory):
    """Milliseconds of an enrolment, and the files of certificate and key."""
    key, certificate = os.path.join(directory, "key"), os.path.join(directory, "certificate")
    subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key], check=True)
    request = base64.b64encode(subprocess.run(
        ["openssl", "req", "-new", "-key", key, "-subj", "/CN=bench", "-outform", "DER"], check=True,
        stdout=subprocess.PIPE).stdout).decode()
    _, token, secret, _ = control.command("token", "create").split("-")
    body = json.dumps({"tokenId": token, "tokenSecret": secret, "request": request})
    began = time.perf_counter()
    connection = connect(control, control.tls())
    connection.request("POST", "/berth/v1/identity/enroll", body)
    answer = json.loads(connection.getresponse().read())
    took = (time.perf_counter() - began) * 1000
    with open(certificate, "w") as file:
        file.write(answer["certificate"])
    return took, (certificate, key)


def main():
    directory = tempfile.mkdtemp(prefix="berth-bench-")
    plain = Control(os.path.join(directory, "plain")).start()
    secure = Control(os.path.join(directory, "secure"), state="file", identity=True).start()
    took, files = enrol(secure, directory)
    rows = [("HTTP", *measure(plain, None)), ("TLS", *measure(secure, secure.tls()))]
    secure.stop()  # what one measurement has left in its heap is not for the other
    secure.start()
    rows.append(("mutual TLS", *measure(secure, secure.tls(files))))
    print("| | new connection and one call | CPU of the server for it | an open connection |\n|---|---|---|---|")
    for name, time_ms, used_ms, kilobytes in rows:
        print(f"| {name} | {time_ms:.2f} ms | {used_ms:.2f} ms | {kilobytes:.1f} kB |")
    print(f"enrolment: {took:.1f} ms")
    for control in (plain, secure):
        control.stop()
    shutil.rmtree(directory)


if __name__ == "__main__":
    main()
