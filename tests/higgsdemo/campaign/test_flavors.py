"""How many cores a machine type has."""

import pytest

from higgsdemo.campaign.fields import Provider
from higgsdemo.campaign.flavors import cores_of


@pytest.mark.parametrize(
    ("provider", "flavor", "cores"),
    [
        ("gke", "n1-standard-16", 16),
        ("gke", "n1-highmem-16", 16),
        ("gke", "n2d-highcpu-224", 224),
        ("gke", "c3-standard-22-lssd", 22),
        ("gke", "n2-custom-8-16384-ext", 8),
        ("gke", "custom-4-5120", 4),
        ("gke", "e2-medium", 2),
        ("gke", "g1-small", 1),
        ("gke", "a2-highgpu-1g", None),
        ("gke", "c5.4xlarge", None),
        ("eks", "c5.4xlarge", 16),
        ("eks", "m5.xlarge", 4),
        ("eks", "r6i.large", 2),
        ("eks", "m6g.medium", 1),
        ("eks", "t3.micro", 2),
        ("eks", "m7i.metal-24xl", 96),
        ("eks", "c5.metal", None),
        ("local", "local-2", 2),
        ("local", "local-0", None),
        ("existing", "local-2", None),
        ("existing", None, None),
    ],
)
def test_a_machine_type_tells_its_cores_by_its_name(
    provider: Provider, flavor: str | None, cores: int | None
) -> None:
    assert cores_of(provider, flavor) == cores
