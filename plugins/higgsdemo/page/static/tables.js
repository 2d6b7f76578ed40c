// Yields, failed shards and files of a run.

import { element, fillTable, find, keep, say } from "./dom.js";
import { count, events } from "./format.js";

const GROUPS = { higgs: "Higgs, 125 GeV", zz: "ZZ", dy: "Z/γ* + X", ttbar: "tt̄" };
const shown = {}; // what each table was last filled with

export function showTables(state, query) {
  if (state.chart && !state.chart.yields) once("entries", state.chart.channels, () => fillEntries(state.chart.channels));
  else if (state.chart) once("yields", [state.chart.yields, state.chart.unassigned], () => fillYields(state.chart));
  if (state.chart) once("candidates", state.chart.candidates ?? null, () => fillCandidates(state.chart));
  once("discovery", state.discovery, () => fillDiscovery(state.discovery));
  once("account", [state.account, state.run.ended_all], () => fillAccount(state.account, state.run.ended_all));
  once("remarks", [state.remarks, state.slow, state.stragglers], () => fillRemarks(state));
  once("failures", state.failures, () => fillFailures(state.failures));
  say(find("output"), state.output ?? "");
  keep(
    find("files"), state.files.filter((name) => !name.startsWith("merged.json")), (name) => name,
    (name) => element("li", {}, element("a", { href: `api/file?${query}&name=${encodeURIComponent(name)}`, download: true }, name)),
  );
}

function once(name, content, fill) {
  const text = JSON.stringify(content);
  if (shown[name] === text) return;
  shown[name] = text;
  fill();
}

function fillYields({ yields, window: [low, high], low: from, high: to, note, unassigned }) {
  const groups = Object.keys(GROUPS).filter((group) => yields[group]); // of the others no event was processed
  const simulated = groups.map((group) => yields[group].all);
  const sum = (field) => simulated.reduce((total, part) => total + part[field], 0);
  const error = (field) => Math.hypot(...simulated.map((part) => part[field]));
  const pair = (value, deviation) => `${events(value)} ± ${events(deviation)}`;
  const row = (label, part) => [label, pair(part.total, part.total_error), pair(part.window, part.window_error)];
  const data = yields.data?.all;
  fillTable(find("yields"), "Events by group, in the whole range and in the signal window", ["Events", `${from}–${to} GeV`, `${low}–${high} GeV`], [
    ...(data ? [[note ? "Pseudo-data" : "Data", count(data.total), count(data.window)]] : []),
    ...(groups.length ? [["Expected", pair(sum("total"), error("total_error")), pair(sum("window"), error("window_error"))]] : []),
    ...groups.map((group) => row(GROUPS[group], yields[group].all)),
    ...Object.entries(unassigned).map(([dataset, channels]) => {
      const all = Object.values(channels).flat().reduce((one, other) => one + other, 0);
      return [`${dataset} (not normalised)`, count(all), "–"];
    }),
  ]);
}

/** What `summary.json` says of the Higgs boson: an own analysis has nothing to say of it. */
function fillDiscovery(found) {
  find("discovery-box").hidden = !found;
  if (!found) return;
  const { signal_strength: strength, signal_strength_interval: interval } = found;
  const spread = interval && ` +${(interval[1] - strength).toFixed(2)} −${(strength - interval[0]).toFixed(2)}`;
  const figures = [
    ["Observed", found.observed_significance, (sigma) => `${sigma.toFixed(1)}σ`],
    ["Expected", found.expected_significance, (sigma) => `${sigma.toFixed(1)}σ`],
    ["Signal strength", strength, (value) => `${value.toFixed(2)}${spread ?? ""}`],
  ].filter(([, value]) => typeof value === "number");
  find("discovery").replaceChildren(...figures.map(([name, value, text]) =>
    element("div", { class: value === strength && "wide" }, element("dt", {}, name), element("dd", {}, text(value)))));
  const unknown = found.observed_significance === null ? "observed significance" : "signal strength";
  const narrow = figures.length && !found.uncertainties?.length && "Errors: statistical and luminosity only";
  say(find("undecided"), [found.statement && `No ${unknown}: ${found.statement}`, narrow].filter(Boolean).join(". "));
}

/** The events of data, by the numbers that tell them apart. */
function fillCandidates({ candidates, note }) {
  find("candidates-box").hidden = !candidates?.events && !candidates?.told.length;
  if (!candidates) return;
  const { events: all, told, shown: first } = candidates;
  say(find("candidates-title"), `${count(all)} ${note ? "events of pseudo-data" : "candidates"} by number`);
  const more = all > first.length && `The first ${first.length}; all of them are in candidates.csv`;
  say(find("candidates-told"), [...told, more].filter(Boolean).join(". "));
  fillTable(find("candidates"), "Candidates with the mass of their four leptons", ["Run:section:event", "Channel", "Mass [GeV]"],
    first.map(([run, section, event, channel, mass]) => [`${run}:${section}:${event}`, channel.replace("mu", "μ"), mass.toFixed(1)]));
}

/** What an own analysis has instead of yields. */
function fillEntries(channels) {
  const rows = Object.entries(channels).map(([name, { data }]) => [name, count(data.counts.reduce((one, other) => one + other, 0))]);
  fillTable(find("yields"), "Entries of each histogram", ["Histogram", "Entries"], rows);
}

function fillAccount([head, ...rows], ended) {
  find("account-box").hidden = !rows.length;
  const heads = head?.map((name) => (name === "took" && !ended ? "so far" : name));
  if (rows.length) fillTable(find("account"), "What the run should take, and what it took", heads, rows);
}

/** What `plan` has found, which datasets are slow, and which shards are the last. */
function fillRemarks({ remarks, slow, stragglers }) {
  const texts = [
    ...remarks,
    ...slow.map((one) => `Slow: ${one.dataset} in ${one.cluster}, about ${Math.round(one.eta)} s to go`),
    ...stragglers.map((one) => `Still without a result: ${one.shard} of ${one.dataset} in ${one.cluster}`),
  ];
  find("remarks").replaceChildren(...texts.map((text) => element("li", {}, text)));
}

function fillFailures({ count: all, shown: failures }) {
  find("failed").hidden = all === 0;
  say(find("failed-title"), all === 1 ? "1 failed shard" : `${count(all)} failed shards`);
  const more = all > failures.length ? `The first ${failures.length}; all of them are in failures/ of the run's folder.` : "";
  say(find("failed-more"), more);
  fillTable(find("failures"), "Failed shards with their reasons", ["Shard", "Dataset", "Cluster", "Reason"],
    failures.map((failure) => [failure.shard, failure.dataset, failure.cluster ?? "", reason(failure)]));
}

function reason({ reason: text, log }) {
  if (!log?.length) return text;
  return element("div", {}, text, element("details", {}, element("summary", {}, "Log"), element("pre", {}, log.join("\n"))));
}
