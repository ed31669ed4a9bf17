# SPDX-License-Identifier: Apache-2.0
"""What a task definition asks for and is not there: the task is STOPPED with a sentence, and never run without it."""


def test_log_options_that_have_no_effect_here_are_refused(host):
    """`mode` and `tag` change what Docker writes; max-size and max-file are those that are there."""
    def run(options):
        return host.run(host.define("logs", [{"image": host.image, "command": ["sh", "-c", "exit 3"], "logConfiguration": {
            "logDriver": "json-file", "options": options}}]))[0]

    good = host.wait_status(run({"max-size": "1m", "max-file": "2", "mode": "blocking"}), "STOPPED")
    assert good["containers"][0]["exitCode"] == 3
    for options, what in (({"mode": "non-blocking"}, "log option mode=non-blocking"), ({"tag": "x"}, "log option tag")):
        task = host.wait_status(run(options), "STOPPED")
        container, = task["containers"]
        assert "exitCode" not in container
        assert f"HostConfigError: app: {what} is not supported by this agent" in task["stoppedReason"] + \
            container.get("reason", ""), task
