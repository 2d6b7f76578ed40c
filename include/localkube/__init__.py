"""A Kubernetes for one machine, so that a campaign runs without cloud, Docker or root.

One process hosts any number of named clusters, speaks the real API over HTTPS on the loopback interface and
runs each container as a local process. It is the embedded default, as SQLite is to Postgres: production is
real Kubernetes.
"""

__version__ = "1"
