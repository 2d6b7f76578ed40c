"""Clusters of the Google Kubernetes Engine, each in a subnetwork of its own, as the demo of 2019 made them.

One request makes the control plane and its nodes; its operation takes minutes. The operation is not stored
but found again by the cluster it works on, so that a repeated task, or cleanup, learns the reason of a
failure that it has not seen itself.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from functools import cached_property
from typing import Any

from airflow.providers.google.cloud.hooks.kubernetes_engine import GKEHook
from airflow.providers.google.common.consts import CLIENT_INFO
from airflow.sdk.exceptions import AirflowException
from google.api_core import exceptions as errors
from google.api_core.retry import Retry, if_exception_type
from google.auth.exceptions import GoogleAuthError, TransportError
from google.auth.transport.requests import Request
from google.cloud import container_v1 as gke

from higgsdemo.clusters.base import BUSY, ClusterError, OurCluster, Phase, State, Unreachable
from higgsdemo.clusters.gke_request import cluster_request, label_value, shape
from higgsdemo.clusters.shape import campaign_marks, check_ours, check_shape, is_ours, made_by_campaigns
from higgsdemo.clusters.tokens import Endpoint, Token, TokenProvider
from higgsdemo.storage.named_connection import GOOGLE, find_connection

API_ENDPOINT = "gke_api_endpoint"  # extra of the Airflow connection: the host of an API that is not Google's
Status = gke.Cluster.Status
Operation = gke.Operation.Type
PHASES = {
    Status.PROVISIONING: Phase.PROVISIONING,
    Status.RUNNING: Phase.RUNNING,
    Status.DEGRADED: Phase.RUNNING,  # its nodes work
    Status.RECONCILING: Phase.UPDATING,
    Status.STOPPING: Phase.DELETING,
}  # any other is a failure
PASSING = (
    errors.Aborted,
    errors.DeadlineExceeded,
    errors.InternalServerError,
    errors.ServiceUnavailable,
    errors.TooManyRequests,
    errors.Unknown,
)
RETRY = Retry(predicate=if_exception_type(*PASSING), initial=1.0, maximum=10.0, timeout=60.0)


class GkeProvider(TokenProvider):
    """A cluster of GKE."""

    @cached_property
    def marks(self) -> dict[str, str]:
        return campaign_marks(label_value(self.campaign), self.airflow)

    @cached_property
    def hook(self) -> GKEHook:
        find_connection(self.cluster.connection, GOOGLE)
        return GKEHook(gcp_conn_id=self.cluster.connection, location=self.cluster.location)

    @cached_property
    def client(self) -> gke.ClusterManagerClient:
        """The client of Google's API, with the connection's credentials."""
        with self._explain_errors("open the Airflow connection"):
            options = self.hook.get_client_options(self.hook.extras.get(API_ENDPOINT))
            credentials = self.hook.get_credentials()
            return gke.ClusterManagerClient(
                credentials=credentials, client_info=CLIENT_INFO, client_options=options
            )

    @cached_property
    def project(self) -> str:
        """The Google Cloud project: the campaign's, else the connection's."""
        with self._explain_errors("open the Airflow connection"):
            project = self.cluster.project or self.hook.project_id
        if not project:
            raise ClusterError(
                f"cluster {self.cluster.name}: no Google Cloud project; name it in the campaign "
                f"(gke.project) or in the Airflow connection {self.cluster.connection!r}"
            )
        return project

    @property
    def parent(self) -> str:
        """The project and location that the cluster is in."""
        return f"projects/{self.project}/locations/{self.cluster.location}"

    def request(self) -> gke.Cluster:
        return cluster_request(self.cluster, self.project, self.marks)

    def create(self) -> None:
        """Ask for the cluster; delete one that has failed, so that a later call creates it."""
        there = self._cluster()
        if there is None:
            request = gke.CreateClusterRequest(parent=self.parent, cluster=self.request())
            with self._explain_errors("create the cluster"):
                try:
                    self.client.create_cluster(request, retry=RETRY)
                except errors.AlreadyExists:  # an answer was lost
                    return
            return
        check_ours(self.cluster.name, there.resource_labels, self.marks)
        if _phase(there) == Phase.FAILED:
            self.delete()
        elif _phase(there) != Phase.DELETING:
            check_shape(self.cluster.name, shape(there), shape(self.request()))

    def state(self) -> State:
        """Return the phase of the cluster, and what the latest operation on it says."""
        there, operation = self._cluster(), self._operation()
        if there is None:
            return _state_without_cluster(operation)
        phase = _phase(there)
        if _at_work(operation):
            phase = _phase_at_work(phase, operation)
        return State(phase, _detail(there, operation), dict(there.resource_labels))

    def delete(self) -> bool:
        """Delete the cluster with its nodes and its subnetwork."""
        there = self._cluster()
        if there is None:
            return _runs(self._operation(), Operation.CREATE_CLUSTER)
        if not is_ours(there.resource_labels, self.marks):
            return False
        if _phase(there) in (Phase.RUNNING, Phase.UPDATING, Phase.FAILED):
            with self._explain_errors("delete the cluster"):
                try:
                    self.client.delete_cluster(name=self._name, retry=RETRY)
                except errors.NotFound:
                    return False
                except errors.FailedPrecondition:  # an operation on it is in progress, or was until now
                    if self.state().phase not in BUSY:
                        self.client.delete_cluster(name=self._name, retry=RETRY)
        return True

    def found(self) -> list[OurCluster]:
        """List the project's clusters, wherever they are."""
        with self._explain_errors("list the clusters"):
            listed = self.client.list_clusters(parent=f"projects/{self.project}/locations/-", retry=RETRY)
        return made_by_campaigns((one.name, one.resource_labels, one.location) for one in listed.clusters)

    def endpoint(self) -> Endpoint | None:
        there = self._cluster()
        if there is None or not there.endpoint:
            return None
        return Endpoint(f"https://{there.endpoint}", there.master_auth.cluster_ca_certificate)

    def token(self) -> Token:
        with self._explain_errors("get a token"):
            credentials: Any = self.hook.get_credentials()
            credentials.refresh(Request())
        ends = credentials.expiry.replace(tzinfo=UTC).timestamp() if credentials.expiry else time.time()
        return Token(credentials.token, ends)

    @property
    def _name(self) -> str:
        return f"{self.parent}/clusters/{self.cluster.name}"

    def _cluster(self) -> gke.Cluster | None:
        with self._explain_errors("look up the cluster"):
            try:
                return self.client.get_cluster(name=self._name, retry=RETRY)
            except errors.NotFound:
                return None

    def _operation(self) -> gke.Operation | None:
        """Return the operation that works on the cluster or its nodes, else the latest."""
        with self._explain_errors("look up its operations"):
            listed = self.client.list_operations(parent=self.parent, retry=RETRY)
        target = f"/clusters/{self.cluster.name}/"
        ours = [one for one in listed.operations if target in f"{one.target_link}/"]
        return max(ours, key=lambda one: (_at_work(one), one.start_time), default=None)

    @contextmanager
    def _explain_errors(self, what: str) -> Iterator[None]:
        where = f"cluster {self.cluster.name}: cannot {what} on GKE"
        try:
            yield
        except (errors.GoogleAPICallError, errors.RetryError) as error:
            kind = Unreachable if isinstance(error, (*PASSING, errors.RetryError)) else ClusterError
            raise kind(f"{where}: {type(error).__name__}: {error.message}") from error
        except (GoogleAuthError, AirflowException, ValueError, OSError) as error:
            passing = isinstance(error, TransportError | ConnectionError | TimeoutError)
            kind = Unreachable if passing else ClusterError
            raise kind(f"{where} with the Airflow connection {self.cluster.connection!r}: {error}") from error


def _phase(there: gke.Cluster) -> Phase:
    return PHASES.get(there.status, Phase.FAILED)


def _state_without_cluster(operation: gke.Operation | None) -> State:
    if _runs(operation, Operation.CREATE_CLUSTER):
        return State(Phase.PROVISIONING, "its creation has begun")
    if operation and operation.operation_type == Operation.CREATE_CLUSTER and operation.error.code:
        return State(Phase.FAILED, operation.error.message)
    return State(Phase.ABSENT)


def _phase_at_work(phase: Phase, operation: gke.Operation | None) -> Phase:
    """Return the phase of a cluster of this one while an operation works on it."""
    if _runs(operation, Operation.DELETE_CLUSTER):
        return Phase.DELETING
    return {Phase.RUNNING: Phase.UPDATING, Phase.FAILED: Phase.PROVISIONING}.get(phase, phase)


def _runs(operation: gke.Operation | None, kind: int) -> bool:
    return operation is not None and operation.operation_type == kind and _at_work(operation)


def _at_work(operation: gke.Operation | None) -> bool:
    at_work = (gke.Operation.Status.PENDING, gke.Operation.Status.RUNNING, gke.Operation.Status.ABORTING)
    return operation is not None and operation.status in at_work


def _detail(cluster: gke.Cluster, operation: gke.Operation | None) -> str:
    parts = [cluster.status.name]
    if operation and operation.error.message:
        parts.append(operation.error.message)
    elif operation and operation.detail:
        parts.append(operation.detail)
    parts += [condition.message for condition in cluster.conditions if condition.message]
    return "; ".join(dict.fromkeys(parts))
