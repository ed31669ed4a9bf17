# SPDX-License-Identifier: Apache-2.0
"""The story that scripts/demo tells."""
import argparse
import json
import os
import shlex
import signal
import sys
import time
import urllib.request

from . import control_groups
from .berth import CREDENTIALS, Lab, wait_for

BOLD, DIM, GREEN, RED, OFF = ("\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[0m") if sys.stdout.isatty() else [""] * 5

WEB = {
    "name": "web", "essential": True, "cpu": 64, "memory": 64,
    "command": ["sh", "-c", "trap 'echo stopping; exit 42' TERM; httpd -f -p 80 -h /www & while :; do sleep 0.1; done"],
    "healthCheck": {"command": ["CMD-SHELL", "wget -q -O /dev/null http://127.0.0.1/"], "interval": 5, "timeout": 2,
                    "retries": 3},
    "portMappings": [{"containerPort": 80}],
}


class Story:
    def __init__(self, lab):
        self.lab, self.number = lab, 0

    def step(self, title):
        self.number += 1
        print(f"\n{BOLD}{self.number}. {title}{OFF}")
        self.began = time.monotonic()

    def done(self, text):
        took = time.monotonic() - self.began
        print(f"   {GREEN}ok{OFF} {text} {DIM}({took * 1000:.0f} ms){OFF}" if took < 10 else
              f"   {GREEN}ok{OFF} {text} {DIM}({took:.1f} s){OFF}")

    def aws(self, *arguments, show=True):
        if show:
            print(f"   {DIM}$ aws ecs {shlex.join(arguments)}{OFF}")
        return self.lab.control.aws(*arguments)

    def task(self, arn):
        return self.aws("describe-tasks", "--tasks", arn, show=False)["tasks"][0]

    def wait(self, arn, status, seconds=30):
        def check():
            task = self.lab.task(arn)
            if task["lastStatus"] == "STOPPED" and status != "STOPPED":
                raise SystemExit(f"{RED}the task stopped: {task.get('stoppedReason')}{OFF}\n" +
                                 json.dumps(task, indent=1, default=str))
            return task["lastStatus"] == status
        wait_for(f"the task to be {status}", check, seconds)
        return self.task(arn)


def address(task):
    details = {detail["name"]: detail["value"] for detail in task["attachments"][0]["details"]}
    return details["privateIPv4Address"]


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode().strip()


def tell(lab):
    story = Story(lab)

    story.step("A registry, a private containerd and Berth's control plane start; an image is pushed")
    lab.start()
    image = lab.registry.image("demo/web")
    story.done(f"control plane at {lab.control.url}, image {image}")

    story.step("The agent starts and registers this host")
    agent = lab.agent("agent", ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION="5s").start()
    story.done(f"container instance {agent.metadata()['ContainerInstanceArn'].split('/')[-1]}, agent process {agent.daemon.pid}")
    print("   " + json.dumps(story.aws("list-container-instances")))

    story.step("A task definition in awsvpc mode, and a task of it")
    containers = json.dumps([dict(WEB, image=image)])
    story.aws("register-task-definition", "--family", "web", "--network-mode", "awsvpc", "--container-definitions",
              containers)
    began = time.monotonic()
    answer = story.aws("run-task", "--task-definition", "web", "--network-configuration",
                       "awsvpcConfiguration={subnets=[subnet-berth]}")
    if answer["failures"]:
        raise SystemExit(f"run-task: {answer['failures']}")
    arn = answer["tasks"][0]["taskArn"]
    task = story.wait(arn, "RUNNING")
    started, created = (task["startedAt"], task["createdAt"])
    story.done(f"RUNNING {time.monotonic() - began:.1f} s after the command was typed, most of it the aws command's own start "
               f"(createdAt {created}, startedAt {started})")

    story.step("It answers on an address of its own")
    ip = address(task)
    text = wait_for("an answer of the task", lambda: get(f"http://{ip}/"))
    story.done(f"http://{ip}/ says: {text}")

    story.step("It reports health, CPU and memory")
    wait_for("HEALTHY", lambda: lab.task(arn)["healthStatus"] == "HEALTHY", 60)
    metrics = wait_for("metrics", lambda: lab.control.metrics(arn), 60)
    story.done(f"healthStatus HEALTHY; metrics {json.dumps(metrics)[:300]}")

    story.step("The agent is killed with SIGKILL; the container does not notice")
    before = pids(lab)
    agent.kill()
    still = get(f"http://{ip}/")
    agent.start()
    wait_for("the agent to adopt its task", lambda: agent.introspect("/v1/tasks")["Tasks"])
    after = pids(lab)
    if before != after:
        raise SystemExit(f"{RED}the processes changed: {before} before, {after} after{OFF}")
    story.done(f"while it was dead: {still}; new agent process {agent.daemon.pid}, the same container processes {sorted(after)}")

    story.step("The task is stopped on request, and hands its exit code back")
    story.aws("stop-task", "--task", arn, "--reason", "the demo ends")
    task = story.wait(arn, "STOPPED")
    story.done(f"STOPPED, exit code {task['containers'][0].get('exitCode')}, {task['stopCode']}: {task['stoppedReason']}")
    return agent, arn


def pids(lab):
    # Short-lived children of the container (sleep, health checks) come and go; the first process of each stays.
    top = control_groups.main("")
    return {control_groups.first_process(path.removeprefix(top)) for path, _, _ in os.walk(top + lab.cgroup)} - {None}


def play(lab):
    variables = " ".join(f"{name}={value}" for name, value in CREDENTIALS.items())
    print(f"""
{BOLD}It stays up until Enter or Ctrl-C.{OFF} In another terminal:

  export {variables}
  alias ecs='/usr/bin/aws --endpoint-url {lab.control.url} ecs'
  ecs run-task --task-definition web --network-configuration 'awsvpcConfiguration={{subnets=[subnet-berth]}}'
  ecs list-tasks
  ecs describe-tasks --tasks ARN
  curl -s http://127.0.0.1:{lab.agents[0].introspection}/v1/tasks

  logs and state: {lab.directory}
""")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        sys.stdin.readline() if sys.stdin.isatty() else signal.pause()
    except KeyboardInterrupt:
        pass


def main():
    parser = argparse.ArgumentParser(prog="demo")
    parser.add_argument("--keep", action="store_true", help="leave it running, and print the commands to play with")
    options = parser.parse_args()
    began = time.monotonic()
    lab = Lab()
    try:
        tell(lab)
        if options.keep:
            play(lab)
    except BaseException:
        lab.report()
        lab.__exit__(*sys.exc_info())
        raise
    print(f"\n{BOLD}Everything ends{OFF}")
    lab.__exit__(None, None, None)
    print(f"   {GREEN}ok{OFF} no process, mount, cgroup, namespace, interface, rule or file is left; "
          f"the story took {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main()
