# SPDX-License-Identifier: Apache-2.0
"""The agent's log file."""
import json
import os
import re


def records(path):
    with open(path) as file:
        return [json.loads(line) for line in file]


def test_log_of_json_lines_is_put_aside_by_size(agent, peer):
    """cfg-C32: each line is a record; the file is put aside at a thousand bytes, and the two newest of those are kept"""
    directory = os.path.join(agent.directory, "logs")
    agent.start(ECS_LOGFILE=os.path.join(directory, "agent.log"), ECS_LOG_OUTPUT_FORMAT="json", ECS_LOG_MAX_FILE_SIZE_MB="0.001",
                ECS_LOG_MAX_ROLL_COUNT="2")
    acs = peer.acs.next()
    for number in range(100):
        acs.say(f"Unknown{number}", {})
    acs.heartbeat(messageId="after")
    assert acs.expect("HeartbeatAckRequest") == {"messageId": "after"}
    assert agent.stop() == 0

    names = os.listdir(directory)
    rolls = sorted((name for name in names if name != "agent.log"), key=lambda name: int(name.rpartition(".")[2]))
    numbers = [int(re.fullmatch(r"agent\.log\.(\d+)", name)[1]) for name in rolls]
    assert "agent.log" in names and len(numbers) == 2
    assert numbers[1] == numbers[0] + 1 and numbers[0] > 2, "the newest have the highest numbers"
    found = []
    for name in [*rolls, "agent.log"]:
        path = os.path.join(directory, name)
        kept = records(path)
        assert all({"level", "time", "msg"} <= set(record) for record in kept)
        assert os.path.getsize(path) <= 1000 + 500, "a record more than what fits, at most"
        found += kept
    # What is kept has no gap: it is the end of what standard error got, in the same shape.
    assert [record["msg"] for record in records(agent.log)[-len(found):]] == [record["msg"] for record in found]
    told = [int(number) for record in found for number in re.findall(r"Unknown(\d+)", record.get("error", ""))]
    assert told == list(range(told[0], 100)) and len(told) > 10
