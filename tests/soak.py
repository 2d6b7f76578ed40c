"""Campaigns one after the other while parts are killed at random: `make soak MINUTES=10 SEED=1`.

Every few seconds a part of Airflow, localkube, the S3 server or a pod ends as by `kill -9`. Each campaign
must end with each of its shards counted once, and leave no cluster, and so no Job, and no process.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import psutil

from demo.session import Session
from demo_stack import Stack

SERVICES = ("scheduler", "triggerer", "api-server", "dag-processor", "localkube", "s3")
PAUSE = (2.0, 8.0)  # s between two kills, on a machine that does nothing else
ALONE = 15.0  # s that a service is left in peace: the supervisor gives one up that ends thrice within seconds
A_CORE = 2.0  # processes that want to run, with the demo alone
SHARDS = 76


class Killer(threading.Thread):
    """Kills a part of the stack every few seconds, in an order that its seed gives."""

    def __init__(self, stack: Stack, seed: int) -> None:
        super().__init__(daemon=True)
        self.killed: Counter[str] = Counter()
        self._stack, self._chance = stack, random.Random(seed)
        self._last: dict[str, float] = {}
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(self._chance.uniform(*PAUSE) * slowness()):
            victim = self._chance.choice([*SERVICES, "pod", "pod"])
            if time.monotonic() - self._last.get(victim, 0) < ALONE * slowness() and victim in SERVICES:
                continue
            try:
                self._strike(victim)
            except (psutil.Error, AssertionError):
                continue  # it has just ended by itself

    def end(self) -> None:
        """Kill no more."""
        self._over.set()
        self.join()

    def _strike(self, victim: str) -> None:
        if victim == "pod":
            pods = self._stack.pods()
            if not pods:
                return
            self._chance.choice(pods).kill()
        else:
            self._stack.service(victim).send_signal(signal.SIGKILL)
        self._last[victim] = time.monotonic()
        self.killed[victim] += 1


def slowness() -> float:
    """How many times longer work takes than on an idle machine: kills come as often as work is done."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1) / A_CORE)


def campaign(stack: Stack, name: str) -> str:
    """Run a campaign to its end; say what is wrong with it, in no words when nothing is."""
    stack.trigger(name)
    state = stack.finish(name)
    if state != "success":
        failed = ", ".join(task for task, state in stack.tasks(name).items() if state == "failed")
        return f"the run ended as {state}: {failed}"
    summary = stack.summary(name)
    counted = {"expected": SHARDS, "done": SHARDS, "failed": 0, "missing": 0}
    if summary["shards"] != counted or summary["unexpected"]:
        return f"shards {summary['shards']}, unexpected {summary['unexpected']}"
    if left := stack.contexts():
        return f"clusters are left: {', '.join(left)}"
    if left := stack.pods():
        return f"processes of pods are left: {left}"
    return ""


def main() -> int:
    """Run campaigns for some minutes; the exit code says whether all was well."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--minutes", type=float, default=10)
    words.add_argument("--seed", type=int, default=1)
    given = words.parse_args()
    with tempfile.TemporaryDirectory(prefix="higgs-soak-") as folder:
        stack = Stack(Path(folder) / ".run")
        killer = Killer(stack, given.seed)
        session = Session.remembered(stack.supervision.session_file)
        bad = 0
        try:
            killer.start()
            end, number = time.monotonic() + 60 * given.minutes, 0
            while time.monotonic() < end:
                number += 1
                began = time.monotonic()
                wrong = campaign(stack, f"soak-{number}")
                bad += bool(wrong)
                took = time.monotonic() - began
                print(
                    f"campaign {number}: {took:5.0f} s  {wrong or 'each shard counted once, nothing left'}",
                    flush=True,
                )
            killer.end()
        finally:
            stack.stop()
    left = session.members() if session else []
    struck = ", ".join(f"{victim} {times}" for victim, times in sorted(killer.killed.items()))
    print(f"seed {given.seed}: {number} campaigns, {bad} of them wrong")
    print(f"struck {killer.killed.total()} times: {struck}")
    print(f"processes left when all was stopped: {len(left)}")
    return min(bad + len(left), 1)


if __name__ == "__main__":
    sys.exit(main())
