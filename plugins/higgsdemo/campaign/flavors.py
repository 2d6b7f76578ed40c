"""The number of cores in a machine type's name, by which clusters are compared.

Google's names end in the number (`n1-highmem-16`, `n2-custom-8-16384`), Amazon's in a size that stands for it
(`c5.4xlarge`), ours in both (`local-2`). For other machines the campaign has to say it.
"""

import re

from higgsdemo.campaign.fields import Provider

_GOOGLE = re.compile(
    "(?:[a-z][0-9]+[a-z]?-)?(?:standard|highmem|highcpu|megamem|ultramem|hypermem|custom)-([0-9]+)"
    "(?:-[0-9]+)?(?:-ext)?(?:-lssd)?"
)
_GOOGLE_SMALL = {"e2-micro": 2, "e2-small": 2, "e2-medium": 2, "f1-micro": 1, "g1-small": 1}
_AMAZON = re.compile(
    r"([a-z][a-z0-9-]*)\.(?:(nano|micro|small|medium|large|xlarge)|(?:metal-)?([0-9]+)xl(?:arge)?)"
)
_AMAZON_SIZES = {"medium": 1, "large": 2, "xlarge": 4}
_AMAZON_BURSTING = {"nano": 2, "micro": 2, "small": 2, "medium": 2}  # of families t3, t3a and t4g
_LOCAL = re.compile("local-([1-9][0-9]{0,2})")
GIB_A_LOCAL_CORE = 2


def cores_of(provider: Provider, flavor: str | None) -> int | None:
    """Return the cores (virtual CPUs) of a machine type; None where its name does not tell.

    >>> cores_of("gke", "n1-highmem-16"), cores_of("eks", "c5.4xlarge"), cores_of("local", "local-2") (16, 16,
    2)
    """
    flavor = flavor or ""
    if provider == "local":
        match = _LOCAL.fullmatch(flavor)
        return int(match[1]) if match else None
    if provider == "gke":
        match = _GOOGLE.fullmatch(flavor)
        return int(match[1]) if match else _GOOGLE_SMALL.get(flavor)
    return _of_amazon(flavor) if provider == "eks" else None


def _of_amazon(flavor: str) -> int | None:
    match = _AMAZON.fullmatch(flavor)
    if match is None:
        return None
    family, size, multiple = match.groups()
    if multiple:
        return 4 * int(multiple)
    sizes = _AMAZON_SIZES | (_AMAZON_BURSTING if re.match("t[34]", family) else {})
    return sizes.get(size)
