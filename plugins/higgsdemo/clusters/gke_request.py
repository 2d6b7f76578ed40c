"""The request for a cluster of the Google Kubernetes Engine, and what of it must not differ.

A stage-in path on the nodes' SSDs asks for local SSDs *as ephemeral storage*: the kubelet then keeps the
pods' emptyDir volumes on them. The demo of 2019 mounted the raw disk from the node (hostPath); an emptyDir
needs no privilege, counts against the pod's limit, and is removed with the pod.
"""

import re
from typing import Any

from google.cloud import container_v1 as gke

from higgsdemo.campaign import Cluster
from higgsdemo.campaign.providers import GkeOptions
from higgsdemo.kubernetes.names import digest
from higgsdemo.run import dns_label

NODE_POOL = "campaign"
SSD = "/mnt/disks/ssd0"
SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]  # IAM limits what the nodes may do


def cluster_request(cluster: Cluster, project: str, labels: dict[str, str]) -> gke.Cluster:
    """Return the request for a cluster: control plane, nodes, and a subnetwork of its own."""
    options = cluster.gke or GkeOptions()
    return gke.Cluster(
        name=cluster.name,
        resource_labels=labels,
        network=options.network,
        locations=options.zones,
        ip_allocation_policy=gke.IPAllocationPolicy(
            use_ip_aliases=True,
            create_subnetwork=True,
            subnetwork_name=cluster.name,
            node_ipv4_cidr_block=options.subnet_range,
        ),
        release_channel=gke.ReleaseChannel(channel=options.release_channel.upper()),
        workload_identity_config=gke.WorkloadIdentityConfig(workload_pool=f"{project}.svc.id.goog"),
        logging_service="none",
        monitoring_service="none",
        node_pools=[_node_pool(cluster, options)],
    )


def shape(cluster: gke.Cluster) -> dict[str, Any]:
    """Return a cluster's shape; with the number of nodes unless it follows the pods."""
    pool = next((one for one in cluster.node_pools if one.name == NODE_POOL), gke.NodePool())
    config, scaling = pool.config, pool.autoscaling
    found: dict[str, Any] = {
        "flavor": config.machine_type,
        "disk_gb": config.disk_size_gb,
        "disk_type": config.disk_type,
        "local_ssds": config.ephemeral_storage_local_ssd_config.local_ssd_count,
        "spot": config.spot,
        "image_streaming": config.gcfs_config.enabled,
        "image_disk": next((one.disk_image for one in config.secondary_boot_disks), None),
        "min_nodes": scaling.min_node_count if scaling.enabled else None,
        "max_nodes": scaling.max_node_count if scaling.enabled else None,
        "subnet_range": cluster.ip_allocation_policy.node_ipv4_cidr_block,
        "release_channel": cluster.release_channel.channel.name.lower(),
        "workload identity": cluster.workload_identity_config.workload_pool or None,
    }
    return found if scaling.enabled else found | {"nodes": pool.initial_node_count}


def label_value(text: str) -> str:
    """Return ``text`` as a value of a Google Cloud label: unchanged if it fits, else similar and unique."""
    if re.fullmatch("[a-z0-9_-]{1,63}", text):
        return text
    return f"{dns_label(text, 54)}-{digest(text)}"


def _node_pool(cluster: Cluster, options: GkeOptions) -> gke.NodePool:
    config = gke.NodeConfig(
        machine_type=cluster.flavor,
        disk_size_gb=options.disk_gb,
        disk_type=options.disk_type,
        spot=options.spot,
        oauth_scopes=SCOPES,
        service_account=options.service_account,
        metadata={"disable-legacy-endpoints": "true"},
        # Google's metadata server gives pods their own identity, if they have one, and never the nodes'.
        workload_metadata_config=gke.WorkloadMetadataConfig(mode="GKE_METADATA"),
    )
    if cluster.dpath == SSD:
        ssds = gke.EphemeralStorageLocalSsdConfig(local_ssd_count=options.local_ssds)
        config.ephemeral_storage_local_ssd_config = ssds
    if options.image_streaming or options.image_disk:
        config.gcfs_config = gke.GcfsConfig(enabled=True)
    if options.image_disk:
        cache = gke.SecondaryBootDisk(disk_image=options.image_disk, mode="CONTAINER_IMAGE_CACHE")
        config.secondary_boot_disks = [cache]
    pool = gke.NodePool(name=NODE_POOL, initial_node_count=cluster.nodes, config=config)
    if options.max_nodes:
        fewest = cluster.nodes if options.min_nodes is None else options.min_nodes
        pool.autoscaling = gke.NodePoolAutoscaling(
            enabled=True, min_node_count=fewest, max_node_count=options.max_nodes
        )
    return pool
