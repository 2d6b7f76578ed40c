"""The one-machine demo: starts the local services, runs a campaign through Airflow, and shows it as it goes.

It talks to everything over HTTP, a bucket or a process, as any user would; nothing else of the project needs
it.
"""


def hostname() -> str:
    """What Airflow's components call this machine: they meet nowhere but on its loopback interface."""
    return "127.0.0.1"
