"""Reach a cloud's cluster with tokens that expire long before the campaign ends.

Amazon's last a quarter of an hour, Google's an hour, and a wait for Jobs may last a day. Every request
therefore asks for the current token, which is renewed before it expires; should the API answer 401
nevertheless, whoever holds the client makes a new one.
"""

import time
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

from higgsdemo.clusters.base import MAKE_IT, ClusterError, KubeconfigProvider, Phase

HEADROOM = 60.0  # s before its end that a token is renewed: longer than any request takes


class Token(NamedTuple):
    """A bearer token, and when it expires (seconds since 1970)."""

    value: str
    ends: float


class Endpoint(NamedTuple):
    """Where a cluster's API is: its URL, and the certificate that identifies it (PEM in base64)."""

    url: str
    certificate: str


class Renewal:
    """The current token, renewed shortly before it expires."""

    def __init__(self, fetch: Callable[[], Token]) -> None:
        self._fetch = fetch
        self._token: Token | None = None

    def current(self) -> str:
        """Return a token that is valid for at least another minute."""
        if self._token is None or time.time() > self._token.ends - HEADROOM:
            self._token = self._fetch()
        return self._token.value


class TokenProvider(KubeconfigProvider):
    """A provider whose clusters are reached with short-lived tokens of the Airflow connection."""

    @abstractmethod
    def endpoint(self) -> Endpoint | None:
        """Return where the cluster's API is; None when it has none yet."""

    @abstractmethod
    def token(self) -> Token:
        """Return a new token."""

    def kubeconfig(self) -> dict[str, Any]:
        """Return a kubeconfig with a new token.

        :raises ClusterError: when there is no such cluster, or not yet.
        """
        return self._access()[0]

    def _access(self) -> tuple[dict[str, Any], Callable[[Any], None]]:
        renewal = Renewal(self.token)

        def renew(configuration: Any) -> None:
            configuration.api_key["BearerToken"] = f"Bearer {renewal.current()}"

        return self._kubeconfig(renewal), renew

    def _kubeconfig(self, renewal: Renewal) -> dict[str, Any]:
        endpoint = self.endpoint()
        name = self.cluster.name
        if endpoint is None:
            state = self.state()
            absent = state.phase == Phase.ABSENT
            remedy = f": {MAKE_IT}" if absent else ""
            raise ClusterError(f"cluster {name} cannot be reached: it is {state.phase}{remedy}", final=absent)
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "clusters": [
                {
                    "name": name,
                    "cluster": {
                        "server": endpoint.url,
                        "certificate-authority-data": endpoint.certificate,
                    },
                }
            ],
            "users": [{"name": name, "user": {"token": renewal.current()}}],
        }
