"""What a killed process leaves behind is found, in whatever process group it is."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from demo.session import Session, end, is_alive

FAMILY = """
import os, subprocess, sys, time
depth = int(sys.argv[1])
child = None
if depth:
    child = subprocess.Popen([sys.executable, *sys.orig_argv[1:-1], str(depth - 1)], process_group=0)
print(os.getpid(), flush=True)
time.sleep(600)
"""


@pytest.fixture
def family() -> Iterator[list[psutil.Process]]:
    """Yield a session leader, its child and its grandchild, each in a process group of its own."""
    leader = subprocess.Popen(
        [sys.executable, "-c", FAMILY, "2"], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert leader.stdout
    pids = [int(leader.stdout.readline()) for _ in range(3)]
    members = [psutil.Process(leader.pid), *(psutil.Process(pid) for pid in pids if pid != leader.pid)]
    members.sort(key=lambda member: member.create_time())
    yield members
    for member in members:
        if is_alive(member):
            member.kill()
    leader.wait()
    leader.stdout.close()


def test_all_generations_are_members_whatever_their_process_group(family: list[psutil.Process]) -> None:
    session = Session.led_by(family[0].pid)
    assert len({os.getpgid(member.pid) for member in family}) == 3
    assert set(session.members()) == set(family)
    assert session.orphans() == []


def test_what_a_killed_parent_leaves_is_an_orphan(family: list[psutil.Process]) -> None:
    session = Session.led_by(family[0].pid)
    end([family[1]], grace=0)
    assert session.orphans() == [family[2]]
    end(session.orphans(), grace=0)
    assert session.members() == [family[0]]


def test_a_session_ends_though_its_leader_was_killed(family: list[psutil.Process]) -> None:
    session = Session.led_by(family[0].pid)
    end([family[0]], grace=0)
    assert set(session.members()) == set(family[1:])
    session.end(grace=5)
    assert not any(is_alive(member) for member in family)


def test_a_number_given_to_another_process_is_no_session_of_ours(family: list[psutil.Process]) -> None:
    earlier = Session(leader=family[0].pid, created=family[0].create_time() - 3600)
    assert earlier.members() == []
    earlier.end(grace=0)
    assert all(is_alive(member) for member in family)


def test_a_session_is_remembered_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "session.json"
    assert Session.remembered(file) is None
    session = Session.led_by(os.getpid())
    file.write_text(session.model_dump_json())
    assert Session.remembered(file) == session
    file.write_bytes(b"")  # as after a power cut
    with pytest.raises(ValueError, match=r"session\.json cannot be read .*; remove it once no service runs"):
        Session.remembered(file)
