"""The one-machine demo: start the local services, run a campaign through Airflow, and show it live.

It talks to everything over HTTP, a bucket or a process, as any user would; the rest of the project does not
need it.
"""


def hostname() -> str:
    """Return the machine's name for Airflow's components, which meet only on the loopback interface."""
    return "127.0.0.1"
