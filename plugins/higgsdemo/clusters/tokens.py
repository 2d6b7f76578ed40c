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


class TokenProvider(KubeconfigProvider):
    """A provider whose clusters are reached with short-lived tokens of the Airflow connection."""

    @abstractmethod
    def endpoint(self) -> Endpoint | None:
        """Return where the cluster's API is; None when it has none yet."""

    @abstractmethod
    def token(self) -> Token:
        """Return a new token."""

    def access(self) -> tuple[dict[str, Any], Callable[[Any], None]]:
        """Return a kubeconfig with a new token, and what gives a client one that is valid for a minute."""
        endpoint, token = self._endpoint_there(), self.token()

        def renew(configuration: Any) -> None:
            nonlocal token
            if time.time() > token.ends - HEADROOM:
                token = self.token()
            configuration.api_key["BearerToken"] = f"Bearer {token.value}"

        return self._kubeconfig(endpoint, token), renew

    def _endpoint_there(self) -> Endpoint:
        if endpoint := self.endpoint():
            return endpoint
        phase = self.state().phase
        absent = phase == Phase.ABSENT
        remedy = f": {MAKE_IT}" if absent else ""
        raise ClusterError(
            f"cluster {self.cluster.name} cannot be reached: it is {phase}{remedy}", final=absent
        )

    def _kubeconfig(self, endpoint: Endpoint, token: Token) -> dict[str, Any]:
        name = self.cluster.name
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
            "users": [{"name": name, "user": {"token": token.value}}],
        }
