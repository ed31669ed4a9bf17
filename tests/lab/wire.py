# SPDX-License-Identifier: Apache-2.0
"""A line between agents and the control plane that can carry one way only, and be cut with what was on its way."""
import contextlib
import socket
import threading
import time

UP, DOWN = "up", "down"  # to the control plane, to the agents


class Wire:
    def __init__(self, port):
        self.target, self.held, self.broken = port, None, False
        self.caught = threading.Event()
        self.sockets = set()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self, way):
        """What is sent this way from now on stays on the line; `caught` is set when there is some."""
        self.caught.clear()
        self.held = way

    def cut(self):
        """All connections end, what was held is lost, and there are no new ones."""
        self.broken = True
        for end in list(self.sockets):
            self._end(end)
        self.held = None

    def mend(self):
        self.broken = False

    def close(self):
        self.cut()
        self._end(self.server)

    def _end(self, end):
        self.sockets.discard(end)
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)  # wakes who waits in it
        end.close()

    def _accept(self):
        while True:
            try:
                agent, _ = self.server.accept()
            except OSError:
                return
            try:
                control = socket.create_connection(("127.0.0.1", self.target), 5)
            except OSError:
                agent.close()
                continue
            control.settimeout(None)
            self.sockets |= {agent, control}
            if self.broken:
                self._end(agent)
                self._end(control)
            for source, target, way in ((agent, control, UP), (control, agent, DOWN)):
                threading.Thread(target=self._carry, args=(source, target, way), daemon=True).start()

    def _carry(self, source, target, way):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                while self.held == way:
                    self.caught.set()
                    time.sleep(0.005)
                target.sendall(data)
        self._end(source)
        self._end(target)
