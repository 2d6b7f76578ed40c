"""Clusters of the Amazon Elastic Kubernetes Service: a control plane and one managed node group.

The node group can be made only once the control plane is active, and must be gone before it is deleted; each
takes some minutes. Both carry tags that name their campaign.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from airflow.providers.amazon.aws.hooks.eks import EksHook
from airflow.providers.amazon.aws.utils.eks_get_token import fetch_access_token_for_cluster
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

from higgsdemo.campaign.providers import EksOptions
from higgsdemo.clusters.base import BUSY, ClusterError, OurCluster, Phase, State, Unreachable
from higgsdemo.clusters.shape import campaign_marks, check_ours, check_shape, is_ours, made_by_campaigns
from higgsdemo.clusters.tokens import Endpoint, Token, TokenProvider
from higgsdemo.storage.named_connection import AWS, UnfitConnection, find_connection

NODEGROUP = "campaign"
TOKEN_SECONDS = 14 * 60.0  # EKS accepts a token for 15 minutes after it was signed
PHASES = {
    "CREATING": Phase.PROVISIONING,
    "PENDING": Phase.PROVISIONING,
    "ACTIVE": Phase.RUNNING,
    "DEGRADED": Phase.RUNNING,  # a node group that gets no more nodes; those that it has work
    "UPDATING": Phase.UPDATING,
    "DELETING": Phase.DELETING,
}  # any other is a failure
PASSING = (408, 429)  # HTTP statuses, besides the server's own errors
IN_USE = "ResourceInUseException"  # an update of it or of its nodes is in progress
Description = dict[str, Any]


class InUse(Unreachable):
    """EKS is busy with the cluster, and refuses further requests."""


class EksProvider(TokenProvider):
    """A cluster of EKS."""

    @cached_property
    def options(self) -> EksOptions:
        return self.cluster.eks or EksOptions()

    @cached_property
    def marks(self) -> dict[str, str]:
        return campaign_marks(self.campaign, self.airflow)

    @cached_property
    def hook(self) -> EksHook:
        """The hook of the Airflow connection; ``location`` is the region, else the connection's."""
        with self._explain_errors("open the Airflow connection"):
            find_connection(self.cluster.connection, AWS)
        return EksHook(aws_conn_id=self.cluster.connection, region_name=self.cluster.location)

    def cluster_request(self) -> dict[str, Any]:
        options = self.options
        network: dict[str, Any] = {"subnetIds": options.subnets}
        if options.security_groups:
            network["securityGroupIds"] = options.security_groups
        request = {
            "name": self.cluster.name,
            "roleArn": options.cluster_role,
            "resourcesVpcConfig": network,
            "tags": self.marks,
        }
        return request | ({"version": options.version} if options.version else {})

    def nodegroup_request(self) -> dict[str, Any]:
        cluster, options = self.cluster, self.options
        fewest = cluster.nodes if options.min_nodes is None else options.min_nodes
        return {
            "clusterName": cluster.name,
            "nodegroupName": NODEGROUP,
            "instanceTypes": [cluster.flavor],
            "scalingConfig": {
                "minSize": fewest,
                "maxSize": options.max_nodes or cluster.nodes,
                "desiredSize": cluster.nodes,
            },
            "diskSize": options.disk_gb,
            "capacityType": "SPOT" if options.spot else "ON_DEMAND",
            "nodeRole": options.node_role,
            "subnets": options.subnets,
            "tags": self.marks,
        }

    def create(self) -> None:
        """Make the control plane, or once it is active its nodes."""
        there = self._cluster()
        if there is None:
            self._call("create the cluster", "create_cluster", **self.cluster_request())
            return
        check_ours(self.cluster.name, there.get("tags") or {}, self.marks)
        phase = _phase(there)
        if phase == Phase.FAILED:
            self.delete()
        elif phase != Phase.DELETING:
            asked = _control_plane_shape(self.cluster_request()).items()
            wanted = {name: value for name, value in asked if value is not None}
            check_shape(self.cluster.name, _control_plane_shape(there), wanted)
            if phase == Phase.RUNNING:
                self._create_nodes()

    def state(self) -> State:
        """Return the phase of the control plane, and once that is active the node group's."""
        there = self._cluster()
        if there is None:
            return State(Phase.ABSENT)
        phase, detail, tags = _phase(there), _detail("control plane", there), there.get("tags") or {}
        if phase not in (Phase.RUNNING, Phase.UPDATING):
            return State(phase, detail)
        nodes = self._nodegroup()
        if nodes is None and phase == Phase.UPDATING:
            return State(Phase.PROVISIONING, detail)  # nodes are created, or the rest is deleted, after it
        if nodes is None:
            return State(Phase.INCOMPLETE, "the control plane has no nodes")
        detail = f"{detail}, {_detail('node group', nodes)}"
        return State(phase if _phase(nodes) == Phase.RUNNING else _phase(nodes), detail, tags)

    def delete(self) -> bool:
        """Delete the node groups, and the control plane once there are none."""
        there = self._cluster()
        if there is None or not is_ours(there.get("tags") or {}, self.marks):
            return False
        of_cluster = {"clusterName": self.cluster.name}
        listed = self._call("list the node groups", "list_nodegroups", absent_ok=True, **of_cluster)
        names = listed["nodegroups"] if listed else ()  # the cluster may go between two requests
        for name in names:
            self._delete_nodegroup(name)
        if not names and _phase(there) not in (Phase.DELETING, Phase.PROVISIONING):
            self._delete("delete the cluster", "delete_cluster", name=self.cluster.name)
        return True

    def found(self) -> list[OurCluster]:
        """List the clusters of `location`; EKS returns the tags of one at a time."""
        with self._explain_errors("list the clusters"):
            client: Any = self.hook.conn
            pages = client.get_paginator("list_clusters").paginate()
            names = [name for page in pages for name in page["clusters"]]
        there = [one for one in map(self._seen, names) if one]
        return made_by_campaigns((one["name"], one.get("tags") or {}, None) for one in there)

    def endpoint(self) -> Endpoint | None:
        there = self._cluster()
        if there is None or not there.get("endpoint"):
            return None
        return Endpoint(there["endpoint"], there["certificateAuthority"]["data"])

    def token(self) -> Token:
        """Return a token: a signed URL that would tell who signed it."""
        ends = time.time() + TOKEN_SECONDS
        with self._explain_errors("sign a token"):
            session = self.hook.get_session(region_name=self.hook.region_name)
            region = session.region_name
            suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
            # EKS accepts only the regional address, and the URL is signed as it stands.
            url = f"https://sts.{region}.{suffix}/?Action=GetCallerIdentity&Version=2011-06-15"
            value = fetch_access_token_for_cluster(self.cluster.name, url, region, session)
        return Token(value, ends)

    def _create_nodes(self) -> None:
        nodes = self._nodegroup()
        if nodes is None:
            self._call("create the node group", "create_nodegroup", **self.nodegroup_request())
        elif _phase(nodes) == Phase.FAILED:
            self._delete_nodegroup(NODEGROUP)
        elif _phase(nodes) != Phase.DELETING:
            wanted = self._nodes_shape(self.nodegroup_request())
            check_shape(self.cluster.name, self._nodes_shape(nodes), wanted)

    def _nodes_shape(self, nodes: Description) -> dict[str, Any]:
        """Return a node group's shape; with the number of nodes unless it follows the pods."""
        scaling = nodes["scalingConfig"]
        shape = {
            "flavor": nodes["instanceTypes"],
            "disk_gb": nodes.get("diskSize"),
            "spot": nodes.get("capacityType") == "SPOT",
            "node_role": nodes["nodeRole"],
            "subnets": sorted(nodes["subnets"]),
            "min_nodes": scaling["minSize"],
            "max_nodes": scaling["maxSize"],
        }
        return shape if self.options.max_nodes else shape | {"nodes": scaling["desiredSize"]}

    def _cluster(self, name: str | None = None) -> Description | None:
        name = name or self.cluster.name
        answer = self._call("look up the cluster", "describe_cluster", absent_ok=True, name=name)
        return answer["cluster"] if answer else None

    def _seen(self, name: str) -> Description | None:
        """Return a cluster of the region; None for one that is gone, or that only others may see."""
        try:
            return self._cluster(name)
        except ClusterError as error:
            if not error.final:
                raise
            return None

    def _nodegroup(self, name: str = NODEGROUP) -> Description | None:
        group = {"clusterName": self.cluster.name, "nodegroupName": name}
        answer = self._call("look up the node group", "describe_nodegroup", absent_ok=True, **group)
        return answer["nodegroup"] if answer else None

    def _delete_nodegroup(self, name: str) -> None:
        there = self._nodegroup(name)
        if there and _phase(there) not in (Phase.DELETING, Phase.PROVISIONING):
            group = {"clusterName": self.cluster.name, "nodegroupName": name}
            self._delete("delete a node group", "delete_nodegroup", **group)

    def _delete(self, what: str, operation: str, **request: Any) -> None:
        try:
            self._call(what, operation, absent_ok=True, **request)
        except InUse:
            if self.state().phase not in BUSY:
                raise

    def _call(self, what: str, operation: str, *, absent_ok: bool = False, **request: Any) -> Any:
        """Return the answer of the EKS API; None when there is no such thing and ``absent_ok`` allows it."""
        with self._explain_errors(what):
            try:
                return getattr(self.hook.conn, operation)(**request)
            except ClientError as error:
                if absent_ok and error.response["Error"]["Code"] == "ResourceNotFoundException":
                    return None
                raise

    @contextmanager
    def _explain_errors(self, what: str) -> Iterator[None]:
        where = f"cluster {self.cluster.name}: cannot {what} on EKS"
        try:
            yield
        except ClientError as error:
            code = error.response["Error"].get("Code", "")
            text = f"{where}: {code}: {error.response['Error'].get('Message', 'no reason given')}"
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if code == IN_USE:
                raise InUse(text) from error
            raise (Unreachable if status in PASSING or status >= 500 else ClusterError)(text) from error
        except (BotoCoreError, UnfitConnection) as error:
            kind = Unreachable if isinstance(error, ConnectionError | HTTPClientError) else ClusterError
            connection = f"the Airflow connection {self.cluster.connection!r}"
            raise kind(f"{where} with {connection}: {error}") from error


def _phase(there: Description) -> Phase:
    return PHASES.get(there["status"], Phase.FAILED)


def _detail(part: str, there: Description) -> str:
    issues = (there.get("health") or {}).get("issues") or []
    reasons = [f"{issue.get('code')}: {issue.get('message')}" for issue in issues]
    return f"{part} {there['status']}" + "".join(f"; {reason}" for reason in reasons)


def _control_plane_shape(there: Description) -> dict[str, Any]:
    return {
        "role": there["roleArn"],
        "subnets": sorted(there["resourcesVpcConfig"]["subnetIds"]),
        "version": there.get("version"),
    }
