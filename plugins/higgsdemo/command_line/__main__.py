"""The command itself: its subcommands, and what their exit codes mean."""

import sys

import click

from higgsdemo.command_line import look, start
from higgsdemo.command_line.check import check, plan
from higgsdemo.command_line.ending import carry_out
from higgsdemo.command_line.new import new


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog="Exit codes: 0 done, 1 the run has failed, 2 bad input, 3 no answer from Airflow or a store. "
    'Completion: eval "$(_HIGGSDEMO_COMPLETE=bash_source higgsdemo)".',
)
def higgsdemo() -> None:
    """Run campaigns through any Airflow that has them, and look at their runs."""


for command in (
    start.run_all,
    look.watch,
    look.runs,
    look.tell_why,
    start.resume,
    check,
    plan,
    new,
    *start.STAGES,
):
    higgsdemo.add_command(command)


def main(arguments: list[str] | None = None) -> int:
    """Carry out one command, and return its exit code."""
    return carry_out(lambda: higgsdemo.main(arguments, "higgsdemo", standalone_mode=False))


if __name__ == "__main__":
    sys.exit(main())
