"""What the tasks need of a cluster's provider, whichever it is."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from higgsdemo.run import ClusterRun
from higgsdemo.wording import ExplainedError, quote

if TYPE_CHECKING:
    from kubernetes.client import ApiClient
    from kubernetes_asyncio.client import ApiClient as AsyncApiClient

MAKE_IT = "clear create_cluster of it too; a run without the stage create makes none"
"""What to do about a cluster that is not there, such as one that its run has deleted at its end."""


class ClusterError(ExplainedError):
    """A cluster cannot be made, reached or removed; the message names it, the reason and a remedy."""

    final = True


class Unreachable(ClusterError):
    """The provider does not answer now; asking again later may succeed."""

    final = False


class Phase(StrEnum):
    """A stage in a cluster's life."""

    ABSENT = "absent"
    PROVISIONING = "provisioning"
    INCOMPLETE = "incomplete"
    """A part exists, and ``create`` or ``delete`` can go on with the rest."""
    RUNNING = "running"
    UPDATING = "updating"
    """It runs while its provider works on it: it takes Jobs, but no changes and no deletion."""
    DELETING = "deleting"
    FAILED = "failed"


BUSY = (Phase.PROVISIONING, Phase.UPDATING, Phase.DELETING)
"""The phases in which there is nothing to do but wait."""


class State(NamedTuple):
    """A cluster's phase, and what its provider says about it: progress, or the reason of a failure.

    :param marks: labels or tags of one that runs.
    """

    phase: Phase
    detail: str = ""
    marks: Mapping[str, str] = MappingProxyType({})

    @property
    def runs(self) -> bool:
        """Whether it takes Jobs."""
        return self.phase in (Phase.RUNNING, Phase.UPDATING)


class OurCluster(NamedTuple):
    """A cluster that a campaign has made: its name, and the value of its campaign label.

    :param location: its region or zone; None where that is the one that was looked at.
    :param airflow: name of the campaign's Airflow; None where unknown.
    """

    name: str
    campaign: str
    location: str | None
    airflow: str | None = None


def _poll_seconds() -> float:
    said = os.environ.get("HIGGS_POLL_SECONDS") or "10"
    with suppress(ValueError):
        if 1 <= (seconds := float(said)) <= 3600:
            return seconds
    raise ClusterError(f"HIGGS_POLL_SECONDS is {quote(said)}: it must be a number from 1 to 3600")


class Provider(ABC):
    """One cluster, through whoever runs it. The methods block; a trigger calls them in a thread.

    A cloud makes and removes a cluster in steps that take minutes each. ``create`` and ``delete`` therefore
    take the step that can be taken now, from whatever is there, and are called again once the cluster is no
    longer busy. Nothing is remembered between two calls: a repeated task finds the half-made cluster as the
    first one left it. By default clusters are not ours: nothing marks them, and they are never deleted.
    """

    poll_seconds: ClassVar[float] = _poll_seconds()

    def __init__(self, assignment: ClusterRun) -> None:
        self.cluster = assignment.cluster
        self.campaign, self.airflow = assignment.run.campaign, assignment.run.airflow

    @abstractmethod
    def create(self) -> None:
        """Ask for the cluster, or for its next part; succeed when it exists in the same shape.

        What an earlier attempt has left broken is removed, and created by a later call.

        :raises ClusterError: when it exists in another shape, naming the difference, or is refused.
        """

    @abstractmethod
    def state(self) -> State:
        """Return the cluster's phase."""

    def delete(self) -> bool:
        """Ask for its deletion; leave a cluster alone that is gone, or was not made by us.

        While its provider works on it, the deletion is asked for later: ``state`` says that it is busy.

        :returns: whether there is a deletion to wait for.
        """
        return False

    @property
    def marks(self) -> dict[str, str]:
        """The labels or tags that mark its clusters."""
        return {}

    def found(self) -> list[OurCluster]:
        """List the clusters that campaigns have made with this connection, in this location."""
        return []

    @abstractmethod
    def connect(self) -> ApiClient:
        """Return a client of its Kubernetes API, with credentials fresh from the Airflow connection."""

    @abstractmethod
    def connect_async(self) -> AbstractAsyncContextManager[AsyncApiClient]:
        """Return the asynchronous client; it is entered anew when its credentials have expired."""


class KubeconfigProvider(Provider):
    """A provider that gives its clusters' credentials as a kubeconfig."""

    @abstractmethod
    def access(self) -> tuple[dict[str, Any], Callable[[Any], None] | None]:
        """Return a kubeconfig, and what renews a client's token where tokens expire; raise ClusterError."""

    def connect(self) -> ApiClient:
        from kubernetes.config import new_client_from_config_dict

        kubeconfig, renew = self.access()
        api = new_client_from_config_dict(kubeconfig)
        if renew:
            api.configuration.refresh_api_key_hook = renew
        return api

    @asynccontextmanager
    async def connect_async(self) -> AsyncIterator[AsyncApiClient]:
        """Return an asynchronous client that does the same without blocking the event loop."""
        from asgiref.sync import sync_to_async
        from kubernetes_asyncio.config import new_client_from_config_dict

        kubeconfig, renew = await sync_to_async(self.access, thread_sensitive=False)()
        async with await new_client_from_config_dict(kubeconfig) as api:
            if renew:
                api.configuration.refresh_api_key_hook = sync_to_async(renew, thread_sensitive=False)
            yield api
