// This run beside another one of its campaign: what they have found, how long they took, what they cost.

import { element, fillTable, find } from "./dom.js";
import { count, duration, events } from "./format.js";

const AGAIN = 500; // milliseconds until the other run is asked for once more, while it is being read

let shown = null;
let other = null;

/** Offers the other runs; `look` hands the state of one, by its id, to a function until that gives null. */
export function prepareComparison(runs, look) {
  find("compare").hidden = !runs.length;
  find("other").append(...["", ...runs.map((run) => run.run_id)].map((name) => element("option", { value: name }, name || "–")));
  find("other").addEventListener("change", ({ target: { value } }) => {
    other = null;
    fill();
    if (value) look(value, (state) => {
      if (find("other").value !== value) return null;
      if (!state.reading.complete && !state.reading.error) return AGAIN;
      other = state;
      fill();
      return null;
    });
  });
}

export function showComparison(state) {
  shown = state;
  fill();
}

function fill() {
  find("comparison").hidden = !other;
  if (!other) return;
  const [ours, theirs] = [facts(shown), facts(other)];
  const names = [...new Set([...Object.keys(ours), ...Object.keys(theirs)])];
  fillTable(
    find("comparison"), `This run and ${other.run.run_id}`, ["", "This run", "The other"],
    names.map((name) => [name, ours[name] ?? "–", theirs[name] ?? "–"]),
  );
}

/** What is to be compared of a run, in words. */
function facts({ run, total, chart, discovery, account }) {
  const [head, ...rows] = account;
  const { data, ...simulated } = chart?.yields ?? {};
  const expected = Object.values(simulated).map((group) => group.all.total);
  const strength = discovery?.signal_strength;
  const known = {
    Duration: run.ended && duration(run.ended - run.started),
    "Shards done": count(total.done),
    Observed: data && count(data.all.total),
    Expected: expected.length && events(expected.reduce((sum, one) => sum + one, 0)),
    Significance: discovery?.observed_significance && `${discovery.observed_significance.toFixed(1)}σ`,
    "Signal strength": typeof strength === "number" && strength.toFixed(2),
    ...Object.fromEntries((head?.includes("took") ? rows : []).map((row) => [row[0], row.at(-1)])),
  };
  return Object.fromEntries(Object.entries(known).filter(([, value]) => value));
}
