"""How a command ends: its exit code, and what it says then."""

import signal
import sys
from collections.abc import Callable
from io import TextIOWrapper
from types import FrameType

import click

from higgsdemo.wording import ExplainedError, printable_lines

FAILED, REFUSED, AWAY, INTERRUPTED = 1, 2, 3, 130
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)


class CommandError(Exception):
    """What a command was to do is not done; the message says why. Its exit code is `code`."""

    code = FAILED


def carry_out(command: Callable[[], int | None]) -> int:
    """Carry out a command and return its exit code; a terminal that closes interrupts it like Ctrl-C."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a result counts also where there is no σ
    for sort in _ENDINGS:
        if signal.getsignal(sort) != signal.SIG_IGN:  # as `nohup` sets it
            signal.signal(sort, _interrupt)
    try:
        return end_in_words(command)
    except (click.Abort, KeyboardInterrupt):
        print("\nInterrupted.", file=sys.stderr)
        return INTERRUPTED


def end_in_words(command: Callable[[], int | None]) -> int:
    """Carry out a command, or a part of it, and return its exit code; what is wrong is told."""
    try:
        return command() or 0
    except click.ClickException as error:
        error.show()
        return REFUSED
    except CommandError as error:
        return _say(error, error.code)
    except ExplainedError as error:
        return _say(error, REFUSED if error.final else AWAY)
    except ValueError as error:
        return _say(error, REFUSED)


def _say(error: Exception, code: int) -> int:
    print("", *printable_lines(str(error)), sep="\n", file=sys.stderr)
    return code


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    for sort in _ENDINGS:  # one is enough: what stops the services must not be stopped itself
        signal.signal(sort, signal.SIG_IGN)
    raise KeyboardInterrupt
