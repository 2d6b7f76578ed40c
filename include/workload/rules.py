"""What the selections require of a lepton, as tables: a line for each cut, read by one code for all of them.

Level 4 is that of the CMS example HiggsExample20112012, applied to what NanoAOD holds. The reduced format has
no particle-flow and global-muon flags, no missing inner hits and no supercluster position. It writes an
isolation of -999 for a lepton that is not particle-flow and an impact parameter of -999 for a muon that is
not global, so requiring valid values stands for those flags; the cut on missing hits is left out, and |eta|
of the electron stands for that of its supercluster. Files that have these branches are selected by them.

The rules for NanoAOD v9 are the leptons of the CMS measurement at 13 TeV (arXiv:2103.04956), with the
electron identification that such files have. The outreach rules are those of CERN Open Data record 12360.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Columns = Mapping[str, NDArray[np.float64]]
"""Values of leptons by branch, without their collection's name: pt in GeV, phi in rad, dxy and dz in cm."""

KINEMATICS = ("pt", "eta", "phi", "charge")
"""The branches that every selection needs."""


class Cut(NamedTuple):
    """A requirement on a value of each lepton: a branch, or one of `DERIVED`."""

    value: str
    relation: str
    limit: float = 0.0
    optional: bool = False
    """Whether a file without the branch is selected without the cut."""


class Rules(NamedTuple):
    """The cuts on muons and on electrons."""

    muon: tuple[Cut, ...]
    electron: tuple[Cut, ...]

    def branches(self, *, optional: bool) -> list[str]:
        """Return the branches that a file must have, or those that are used where it has them."""
        return [
            f"{collection}_{branch}"
            for collection, cuts in (("Muon", self.muon), ("Electron", self.electron))
            for branch in dict.fromkeys(_branches(cuts, optional))
        ]


def _branches(cuts: Iterable[Cut], optional: bool) -> Iterable[str]:
    yield from () if optional else KINEMATICS
    for cut in cuts:
        needed, used, _ = DERIVED.get(cut.value, ((cut.value,), (), None))
        if cut.optional == optional:
            yield from needed
        if optional:
            yield from used


def passing(columns: Columns, cuts: Iterable[Cut]) -> NDArray[np.bool_]:
    """Mark the leptons that pass all cuts; where a value is not a number, they do not."""
    good = np.ones(len(columns["pt"]), np.bool_)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        for cut in cuts:
            if cut.value in DERIVED:
                good &= _RELATIONS[cut.relation](DERIVED[cut.value][2](columns), cut.limit)
            elif cut.value in columns or not cut.optional:
                good &= _RELATIONS[cut.relation](columns[cut.value], cut.limit)
    return good


def _eta_of_supercluster(columns: Columns) -> Any:
    return columns["eta"] + columns["deltaEtaSC"] if "deltaEtaSC" in columns else columns["eta"]


def _impact_significance(columns: Columns) -> Any:
    """SIP3D of the example."""
    impact = np.sqrt(columns["dxy"] ** 2 + columns["dz"] ** 2)
    return impact / np.sqrt(columns["dxyErr"] ** 2 + columns["dzErr"] ** 2)


DERIVED: dict[str, tuple[tuple[str, ...], tuple[str, ...], Callable[[Columns], Any]]] = {
    "eta_sc": (("eta",), ("deltaEtaSC",), _eta_of_supercluster),
    "significance": (("dxy", "dz", "dxyErr", "dzErr"), (), _impact_significance),
}
"""Values of several branches: those needed, those used where a file has them, and the function."""

_RELATIONS: dict[str, Callable[[Any, float], Any]] = {
    ">": np.greater,
    ">=": np.greater_equal,
    "<": np.less,
    "<=": np.less_equal,
    "within": lambda values, limit: np.abs(values) < limit,
    "finite": lambda values, _: np.isfinite(values),
}

_FINITE = (Cut("pt", "finite"), Cut("phi", "finite"))
_PROMPT = (Cut("dxy", "within", 0.5), Cut("dz", "within", 1.0))
_OF_EXAMPLE = (*_FINITE, *_PROMPT, Cut("significance", "<", 4.0))
_WITH_ERRORS = (*_OF_EXAMPLE, Cut("dxyErr", "finite"), Cut("dzErr", "finite"))

RULES = {
    "level4": Rules(
        muon=(
            *_WITH_ERRORS,
            Cut("pt", ">", 5.0),
            Cut("eta", "within", 2.4),
            Cut("pfRelIso04_all", ">=", 0.0),
            Cut("pfRelIso04_all", "<", 0.4),
            Cut("isGlobal", ">", 0, optional=True),
            Cut("isPFcand", ">", 0, optional=True),
        ),
        electron=(
            *_WITH_ERRORS,
            Cut("pt", ">", 7.0),
            Cut("eta_sc", "within", 2.5),
            Cut("pfRelIso03_all", ">=", 0.0),
            Cut("pfRelIso03_all", "<", 0.4),
            Cut("lostHits", "<=", 1, optional=True),
        ),
    ),
    "nanoaod-v9": Rules(
        muon=(
            *_FINITE,
            *_PROMPT,
            Cut("pt", ">", 5.0),
            Cut("eta", "within", 2.4),
            Cut("sip3d", "<", 4.0),
            Cut("pfRelIso03_all", "<", 0.35),
            Cut("looseId", ">", 0),  # particle flow, and global or tracker
        ),
        electron=(
            *_FINITE,
            *_PROMPT,
            Cut("pt", ">", 7.0),
            Cut("deltaEtaSC", "finite"),
            Cut("eta_sc", "within", 2.5),
            Cut("sip3d", "<", 4.0),
            Cut("lostHits", "<=", 1),
            Cut("mvaFall17V2Iso_WP90", ">", 0),  # it knows the isolation
        ),
    ),
    "outreach": Rules(  # thresholds on pT are not of every channel: `workload.outreach`
        muon=(*_OF_EXAMPLE, Cut("eta", "within", 2.4), Cut("pfRelIso04_all", "within", 0.4)),
        electron=(*_OF_EXAMPLE, Cut("eta", "within", 2.5), Cut("pfRelIso03_all", "within", 0.4)),
    ),
}
"""The rule sets by name; the first is the default."""
