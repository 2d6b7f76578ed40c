"""Any Kubernetes cluster that people already have: never created and never deleted by us.

An Airflow connection of type ``kubernetes`` says how to reach it: a kubeconfig, a path to one, or the cluster
that Airflow itself runs in. ``location`` may name a context of that kubeconfig.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

from airflow.providers.cncf.kubernetes.hooks.kubernetes import AsyncKubernetesHook, KubernetesHook
from airflow.sdk.exceptions import AirflowException
from asgiref.sync import sync_to_async
from kubernetes.client import ApiClient, VersionApi
from kubernetes.config import ConfigException
from kubernetes_asyncio.client import ApiClient as AsyncApiClient
from kubernetes_asyncio.config import ConfigException as AsyncConfigException

from higgsdemo.clusters.base import ClusterError, Phase, Provider, State
from higgsdemo.kubernetes.requests import explain_errors, make_patient
from higgsdemo.storage.named_connection import KUBERNETES, UnfitConnection, find_connection, is_somebody


class ExistingProvider(Provider):
    """A cluster that existed before the campaign and stays after it."""

    def create(self) -> None:
        """Do nothing: the cluster exists; the next task reaches it."""

    def state(self) -> State:
        """Ask the cluster for its version, which proves that it runs and can be reached."""
        with explain_errors(self.cluster.name, "read its version"):
            VersionApi(make_patient(self.connect())).get_code()
        return State(Phase.RUNNING)

    def connect(self) -> ApiClient:
        with self._explain_errors():
            self._find()
            return KubernetesHook(**self._access()).get_conn()

    @asynccontextmanager
    async def connect_async(self) -> AsyncIterator[AsyncApiClient]:
        hook = AsyncKubernetesHook(**self._access())
        async with AsyncExitStack() as stack:
            with self._explain_errors():
                await sync_to_async(self._find, thread_sensitive=False)()
                api = await stack.enter_async_context(hook.get_conn())
            yield api

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        """Explain the error of a connection that is missing, or leads nowhere."""
        try:
            yield
        except (AirflowException, ConfigException, AsyncConfigException, OSError) as error:
            raise ClusterError(
                f"cluster {self.cluster.name}: the Airflow connection {self.cluster.connection!r} cannot "
                f"be used: {error}"
            ) from error

    def _find(self) -> None:
        """Check that the connection leads somewhere: otherwise it would lead to the worker's own cluster."""
        if not is_somebody(find_connection(self.cluster.connection, KUBERNETES)):
            raise UnfitConnection("it has neither kube_config, kube_config_path nor in_cluster")

    def _access(self) -> dict[str, Any]:
        return {"conn_id": self.cluster.connection, "cluster_context": self.cluster.location}
