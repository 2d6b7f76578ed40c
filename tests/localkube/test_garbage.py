"""Deletion and owners, as kubernetes.io/docs/concepts/architecture/garbage-collection has them."""

import pytest
from kubernetes.client.exceptions import ApiException

from localkube_server import Kube


@pytest.mark.parametrize("name", ["default", "kube-system"])
def test_the_first_namespaces_must_stay(kube: Kube, name: str) -> None:
    with pytest.raises(ApiException, match="this namespace may not be deleted") as refused:
        kube.core.delete_namespace(name)
    assert refused.value.status == 403
