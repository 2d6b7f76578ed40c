"""Both rule sets once more, with ROOT's RDataFrame, to check the workload's selection against.

Written in C++ from the text of the rules, event by event and without any of the project's code. It runs as a
program of its own, so that ROOT shares no process with the tests: it reads sets of files as JSON, {name:
{"files", "certified"}}, and prints for each by rule set and channel the histogram of the four-lepton mass, of
all events or of those in the certified luminosity sections.
"""

import json
import sys
from pathlib import Path
from typing import Any

FLAVOURS = {
    "Muon": ("pfRelIso04_all", 5.0, 2.4, 0.105658),
    "Electron": ("pfRelIso03_all", 7.0, 2.5, 0.0005109989),
}


def level_4(frame: Any) -> dict[str, Any]:
    """Return the level-4 masses of each channel."""
    for name, (iso, min_pt, max_eta, mass) in FLAVOURS.items():
        fields = ("pt", "eta", "phi", "charge", iso, "dxy", "dz", "dxyErr", "dzErr")
        columns = ", ".join(f"{name}_{field}" for field in fields)
        frame = frame.Define(f"good{name}", f"good({columns}, {min_pt}, {max_eta}, {mass})")
    return {
        "4mu": frame.Define("mass", "fourOfAKind(goodMuon)"),
        "4e": frame.Define("mass", "fourOfAKind(goodElectron)"),
        "2e2mu": frame.Define("mass", "twoOfEach(goodMuon, goodElectron)"),
    }


def outreach(frame: Any) -> dict[str, Any]:
    """Return the outreach example's masses of each channel."""

    def clean(frame: Any, name: str) -> Any:
        iso, _, max_eta, _ = FLAVOURS[name]
        impact = ", ".join(f"{name}_{field}" for field in ("dxy", "dz", "dxyErr", "dzErr"))
        return (
            frame.Filter(f"All(abs({name}_eta) < {max_eta}) && All(abs({name}_{iso}) < 0.40)")
            .Filter(f"All(sip3d({impact}) < 4) && All(abs({name}_dxy) < 0.5) && All(abs({name}_dz) < 1.0)")
            .Define(f"vectors{name}", f"vectors({name}_pt, {name}_eta, {name}_phi, {name}_mass)")
        )

    def four(name: str) -> Any:
        kept = frame.Filter(
            f"n{name} == 4 && All({name}_pt > {FLAVOURS[name][1]}) && Sum({name}_charge) == 0"
        )
        return clean(kept, name).Define("mass", f"massOfFour(vectors{name}, {name}_charge)")

    both = frame.Filter("nMuon >= 2 && nElectron >= 2 && Sum(Muon_charge) == 0 && Sum(Electron_charge) == 0")
    both = clean(clean(both.Filter("hasLeading(Muon_pt) || hasLeading(Electron_pt)"), "Muon"), "Electron")
    pairs = "vectorsMuon[0], vectorsMuon[1], vectorsElectron[0], vectorsElectron[1]"
    return {
        "4mu": four("Muon"),
        "4e": four("Electron"),
        "2e2mu": both.Define("mass", f"massOfPairs({pairs})"),
    }


def histograms(files: list[str], certified: dict[str, list[list[int]]] | None = None) -> dict[str, Any]:
    """By rule set and channel the counts in the bins, and the number of events."""
    import ROOT

    frame = ROOT.RDataFrame("Events", files)
    if certified is not None:
        ranges = [(run, *one) for run, of_run in certified.items() for one in of_run]
        chosen = (f"run == {run} && luminosityBlock >= {a} && luminosityBlock <= {b}" for run, a, b in ranges)
        frame = frame.Filter(" || ".join(map("({})".format, chosen)))
    count = frame.Count()
    axis = ("", "", 37, 70.0, 181.0)
    booked = {
        rules: {channel: masses.Filter("mass > 0").Histo1D(axis, "mass") for channel, masses in made.items()}
        for rules, made in (("level4", level_4(frame)), ("outreach", outreach(frame)))
    }
    contents = {
        rules: {channel: [int(h.GetBinContent(bin)) for bin in range(1, 38)] for channel, h in made.items()}
        for rules, made in booked.items()
    }
    return {"events": count.GetValue(), **contents}


def main() -> None:
    """Read the files of each set from standard input, as JSON, and print its histograms."""
    import ROOT

    ROOT.gInterpreter.Declare(Path(__file__).with_suffix(".cpp").read_text(encoding="utf-8"))
    print(json.dumps({name: histograms(**asked) for name, asked in json.load(sys.stdin).items()}))


if __name__ == "__main__":
    main()
