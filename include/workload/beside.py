"""Beside a command in a container of its own: stage shards in for it, and publish what it leaves.

`python -m workload beside` is a sidecar. While the command works on one shard, the next one is staged in and
the one before it published. The two containers share WORK_DIR:

    <n>.sh      from the sidecar: what the command's shell reads for its n-th shard
    <n>/        OUTPUT_DIR of that shard
    <n>.log     what the command has printed
    <n>.code    its exit code
    <n>.used    what it has taken (`workload.used`)
    <n>.ended   the command has ended, and all of this is whole
    reason      from the sidecar: the termination message
    begun       from the sidecar: it was started; a restarted one cannot go on
    end         from the sidecar: all is done, and with which exit code the command's container ends

What a shard has left is removed once that is concluded, so that others have room, and the end as well.
"""

import json
import os
import shlex
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from workload.errors import BadInput, TryAgain, all_in_one, system_errors_in_words
from workload.inputs import Staged, staged, unfinished
from workload.last_words import useful_line
from workload.live import LiveCopy
from workload.manifest import read_shards
from workload.outputs import Asked, publish, read_plain
from workload.settings import Settings, required
from workload.storage import put
from workload.used import peak_memory, read_used

_POLL = 0.05  # s until WORK_DIR is looked at again
_LOG_READ = 64 << 10  # bytes at the end of a log that may say why a command has failed
_SHARED = 0o002  # umask: the containers may have two users, in one group
_BLOCK = 512  # bytes, of `ulimit -f`

Report = Callable[[str], None]


def work_dir(environ: Mapping[str, str]) -> Path:
    """Return the directory that both containers share."""
    return Path(required(environ, "WORK_DIR"))


def serve(settings: Settings, environ: Mapping[str, str], report: Report) -> None:
    """Let the command work on every shard of the index, and publish what it leaves.

    :raises BadInput: after the last shard, when some have failed and no other attempt can help.
    :raises TryAgain: when one may; also in a sidecar that was started again, since it cannot go on.
    """
    work, asked = work_dir(environ), Asked.of(environ)
    os.umask(_SHARED)
    _begin(work)
    shards = read_shards(settings.manifest, settings.index)
    live = LiveCopy(settings.live_url, settings.live_key, report)
    failures: dict[str, BadInput | TryAgain] = {}

    def conclude(turn: Turn) -> None:
        shard = turn.given.shard
        try:
            with system_errors_in_words():
                turn.check(asked.bad_input_codes)
                took = turn.seconds, turn.used()
                document = publish(turn.given, turn.output, turn.log, settings.dataset, asked, *took)
                put(settings.result_url(shard.name), document)
        except (BadInput, TryAgain) as error:
            report(f"{shard.name}: {error}")
            failures[shard.name] = error
        else:
            report(f"{shard.name}: {turn.seconds:.2f} s")
            live.tell(shard.source, document)
        finally:
            turn.remove()

    before: Turn | None = None
    try:
        for number, given in enumerate(staged(shards, settings, unfinished(settings, report))):
            turn = Turn(given, work, number)
            try:
                turn.begin(asked.most_bytes)
                if before:
                    ended, before = before, None
                    conclude(ended)
                turn.wait()
            finally:
                given.close()
            before = turn
    finally:
        if before:
            conclude(before)
    if failures:
        raise all_in_one(failures, len(shards))


def _begin(work: Path) -> None:
    """Note that the sidecar was started; raise `TryAgain` when it was before."""
    try:
        with (work / "begun").open("x") as file:
            file.write(f"{TryAgain.exit_code}\n")  # what it ends with when it cannot write another (`end`)
    except FileExistsError:
        raise TryAgain("the sidecar has ended and was started again: its log may say why") from None


def end(code: int, environ: Mapping[str, str]) -> NoReturn:
    """Let the command's container end with this exit code, and wait for SIGTERM: what ends is restarted."""
    work = work_dir(environ)
    try:
        _write(work / "end", f"{code}\n")
    except OSError:  # a full disk still has room for a name
        (work / "begun").rename(work / "end")
    while True:
        threading.Event().wait()


class Turn:
    """The command's work on one shard, its `number`-th."""

    def __init__(self, given: Staged, work: Path, number: int) -> None:
        self.given = given
        self.seconds = 0.0
        self.output, self.log = work / f"{number}", work / f"{number}.log"
        kinds = ("sh", "code", "used", "ended")
        self._shell, self._code, self._used, self._ended = (work / f"{number}.{kind}" for kind in kinds)

    def begin(self, most_bytes: int | None) -> None:
        """Let the command begin; without a shard, since that could not be staged in, its shell goes on."""
        self._begun = time.monotonic()
        self.output.mkdir()
        lines = [f"export {name}={shlex.quote(value)}" for name, value in self._variables().items()]
        if most_bytes is not None:
            lines.append(f"ulimit -f {most_bytes // _BLOCK + 1}")
        _write(self._shell, "exit\n" if self.given.failure else "\n".join([*lines, ""]))

    def _variables(self) -> dict[str, str]:
        shard = self.given.shard
        variables = {
            "INPUT_FILE": str(self.given.path),
            "INPUT_URL": shard.url,
            "OUTPUT_DIR": str(self.output),
            "SHARD": shard.name,
            "LUMINOSITY": json.dumps(shard.lumi),
        }
        if shard.entries is None:
            return variables
        return variables | {"FIRST_EVENT": str(shard.entries[0]), "LAST_EVENT": str(shard.entries[1] - 1)}

    def wait(self) -> None:
        while not self._ended.exists():
            time.sleep(_POLL)
        self.seconds = time.monotonic() - self._begun

    def remove(self) -> None:
        """Remove all that it has left; its shell, which has told that it has ended, needs none of it."""
        shutil.rmtree(self.output, ignore_errors=True)
        for path in (self.log, self._shell, self._code, self._used, self._ended):
            with suppress(OSError):  # the command may have made folders of them
                path.unlink()

    def used(self) -> dict[str, int | float]:
        """Return what the command has taken, as far as its shell could tell."""
        return read_used(read_plain(self._used, 500).decode(errors="replace"), peak_memory())

    def check(self, bad_input_codes: list[int]) -> None:
        """Raise `BadInput` or `TryAgain` unless the shard was staged in and the command has succeeded."""
        if self.given.failure:
            raise self.given.failure
        told = read_plain(self._code, 8).strip()
        code = int(told) if told.isdigit() else None
        if code != 0:
            log = read_plain(self.log, _LOG_READ, end=True).decode(errors="replace")
            raise (BadInput if code in bad_input_codes else TryAgain)(useful_line(code, log))


def _write(path: Path, text: str) -> None:
    """Write a file that is there only when it is whole."""
    whole = path.with_name(f"{path.name}.part")
    whole.write_text(text)
    whole.rename(path)
