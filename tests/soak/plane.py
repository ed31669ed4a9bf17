# SPDX-License-Identifier: Apache-2.0
"""The control plane as the soak's tasks use it, which may be away for a moment at any time."""
import contextlib
import http.client
import itertools
import threading
import time
import urllib.error

PATIENCE = 180  # seconds for one task, or for the control plane to answer again


class Plane:
    """Use it as a context: inside, one thread looks at all tasks for everybody who follows one."""

    def __init__(self, lab):
        self.lab = lab
        self.changed = threading.Condition()
        self.watched, self.seen, self.over = set(), {}, False
        self.watcher = threading.Thread(target=self._watch)

    def __enter__(self):
        self.watcher.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.watcher.join()

    def call(self, operation, **members):
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return self.lab.control.call(operation, **members)
            except urllib.error.HTTPError as error:
                if error.code < 500 or time.monotonic() > end:
                    raise RuntimeError(f"{operation}: {error.read().decode()}") from error
            except (OSError, http.client.HTTPException):
                if time.monotonic() > end:
                    raise
            time.sleep(0.05)

    def run(self, token, **members):
        """RunTask until there is an agent with room for it; a repetition because an answer was lost is the same call."""
        end = time.monotonic() + PATIENCE
        for attempt in itertools.count():
            answer = self.call("RunTask", cluster="default", clientToken=f"{token}-{attempt}", **members)
            if answer["tasks"]:
                return answer["tasks"][0]["taskArn"]
            if time.monotonic() > end:
                raise RuntimeError(f"RunTask: {answer['failures']}")
            time.sleep(0.05)

    def stop(self, arn):
        self.call("StopTask", cluster="default", task=arn, reason="the soak")

    def follow(self, arn, status):
        """The task, once it has that status or has stopped."""
        with self.changed:
            self.watched.add(arn)
            try:
                if self.changed.wait_for(lambda: self.seen.get(arn, {}).get("lastStatus") in (status, "STOPPED"), PATIENCE):
                    return self.seen[arn]
                raise TimeoutError(f"not {status} within {PATIENCE} s: {self.seen.get(arn)}")
            finally:
                self.watched.discard(arn)
                self.seen.pop(arn, None)

    def _watch(self):
        while not self.over:
            with self.changed:
                arns = sorted(self.watched)
            with contextlib.suppress(OSError, http.client.HTTPException):
                tasks = self.lab.describe(*arns) if arns else []
                with self.changed:
                    self.seen.update({task["taskArn"]: task for task in tasks if task["taskArn"] in self.watched})
                    self.changed.notify_all()
            time.sleep(0.05)
