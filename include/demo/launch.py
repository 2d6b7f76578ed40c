"""Become one service, after ending what a killed predecessor left behind.

The supervisor runs this for each service, so that commands, secrets and environments are in one place and
not in a configuration file, and so that a killed scheduler leaves no second set of workers running.
"""

import os
import sys
from pathlib import Path

from demo.services import SERVICES
from demo.session import Session, end
from demo.settings import Settings


def main(name: str, state: str) -> None:
    """Replace this process by the service `name` of the state folder `state`."""
    settings = Settings.load(Path(state))
    service = SERVICES[name]
    end(Session.led_by(os.getsid(0)).orphans(), grace=0)
    command = service.command(settings)
    os.execve(command[0], command, settings.environment() | service.environment(settings))


if __name__ == "__main__":
    main(*sys.argv[1:])
