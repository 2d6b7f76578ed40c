"""A skim: the muons of events with two or more, in a small ROOT file with a histogram. It knows no store."""

import json
import sys
from pathlib import Path

import awkward as ak
import numpy as np
import uproot

file, folder = Path(sys.argv[1]), Path(sys.argv[2])
muons = uproot.open(file)["Events"].arrays(filter_name="Muon_*")
chosen = muons[ak.num(muons.Muon_pt) >= 2]
with uproot.recreate(folder / "skim.root") as skim:
    skim["Events"] = dict(zip(ak.fields(chosen), ak.unzip(chosen), strict=True))
    skim["h_pt"] = np.histogram(ak.max(chosen.Muon_pt, axis=1).to_numpy(), 50, (0.0, 100.0))
(folder / "result.json").write_text(json.dumps({"processed": len(muons)}))
print(f"{len(chosen)} of {len(muons)} events have two muons")
