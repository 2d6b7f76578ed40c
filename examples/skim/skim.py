"""A skim: the events with two muons or more, and the mass of their leading pair. It knows no store."""

import json
import sys
from pathlib import Path

import awkward as ak
import numpy as np
import uproot

file, folder = Path(sys.argv[1]), Path(sys.argv[2])
muons = uproot.open(file)["Events"].arrays(filter_name="Muon_*")
chosen = muons[ak.num(muons.Muon_pt) >= 2]
pt, eta, phi = (chosen[f"Muon_{name}"][:, :2] for name in ("pt", "eta", "phi"))
angles = np.cosh(eta[:, 0] - eta[:, 1]) - np.cos(phi[:, 0] - phi[:, 1])
mass = np.sqrt(2 * pt[:, 0] * pt[:, 1] * angles).to_numpy()
with uproot.recreate(folder / "skim.root") as skim:
    skim["Events"] = {"mass": mass, "pt": pt.to_numpy()}
    skim["h_mass"] = np.histogram(mass, 60, (60.0, 120.0))
(folder / "result.json").write_text(json.dumps({"processed": len(muons)}))
print(f"{len(chosen)} of {len(muons)} events have two muons")
