// The plot: data over the stack of what is expected, redrawn as results arrive; or the histograms of an own analysis.

import { element, fillTable, find, say } from "./dom.js";
import { count, events } from "./format.js";

const CHANNELS = { all: "All", "4mu": "4μ", "4e": "4e", "2e2mu": "2e2μ" };
const BACKGROUNDS = ["ttbar", "dy", "zz"]; // from the bottom of the stack up
const SIMULATED = ["higgs", "zz", "dy", "ttbar"];
const LABELS = { higgs: "mH = 125 GeV", zz: "ZZ → 4ℓ", dy: "Z/γ* + X", ttbar: "tt̄", error: "Uncertainty" };

const FIRST = "first chart";

let chart = null;
let shown = null; // the numbers that are drawn
let channel = null;
let selected = null; // the bin that is read out
let tableOf = null;

/** Prepares the legend and the reading of single bins. */
export function preparePlot() {
  for (const name of ["data", ...SIMULATED, "error"]) {
    const swatch = element("i", { class: `swatch ${name}`, "aria-hidden": "true" });
    find("legend").append(element("li", { "data-name": name }, swatch, element("span", {}, LABELS[name] ?? "Data")));
  }
  const canvas = find("canvas");
  canvas.addEventListener("pointermove", (event) => select(binAt(event)));
  canvas.addEventListener("pointerleave", () => select(null));
  canvas.addEventListener("blur", () => select(null));
  canvas.addEventListener("keydown", moveSelection);
  find("bins").closest("details").addEventListener("toggle", fillBins);
}

/** Offers the channels of the numbers, or the histograms of an own analysis. */
function makeSwitch() {
  [channel] = Object.keys(shown.channels);
  for (const name of Object.keys(shown.channels)) {
    const input = element("input", { type: "radio", name: "channel", value: name, checked: name === channel });
    input.addEventListener("change", () => {
      channel = name;
      if (!isOwn()) return draw();
      selected = null;
      recolour(); // each histogram has an axis of its own
    });
    find("channels").append(element("label", {}, input, element("span", {}, CHANNELS[name] ?? name)));
  }
}

/** Shows the numbers of `spectrum.json`, or of a run that goes on. */
export function showPlot(numbers) {
  shown = numbers;
  if (channel === null) makeSwitch();
  say(find("note"), numbers.note ?? "");
  find("note").hidden = !numbers.note;
  say(find("luminosity"), numbers.luminosity);
  say(find("legend").querySelector("[data-name=data] span"), dataName());
  const missing = numbers.coverage < 1 ? `${(Math.floor(numbers.coverage * 1000) / 10).toFixed(1)}% of the shards` : "";
  const names = numbers.absent.length > 3 ? `${numbers.absent.length} samples` : numbers.absent.join(", ");
  const absent = names ? `no events of ${names}` : "";
  say(find("coverage"), [missing, absent, numbers.differing, numbers.beyond, numbers.certified].filter(Boolean).join("; "));
  draw();
}

/** Draws anew with the colours of the present theme. */
export function recolour() {
  if (!chart) return;
  chart.destroy();
  chart = null;
  draw();
}

const isOwn = () => !shown.yields;
/** Whether there is anything of a group in the channel: 0 events of what was not processed are no finding. */
const has = (group) => (isOwn() ? group === "data" : channel in (shown.yields[group] ?? {}));
/** Whether data are compared with what is expected, in a panel of their own. */
const hasRatio = () => has("data") && simulated().length > 0;
const simulated = () => SIMULATED.filter(has);
const dataName = () => (isOwn() ? "Entries" : shown.note ? "Pseudo-data" : "Data");
const axis = () => (isOwn() ? shown.channels[channel] : { label: "m4ℓ [GeV]", ...shown });
const width = () => (axis().high - axis().low) / axis().bins;
const number = (value) => String(Math.round(value * 1e6) / 1e6);
const edge = (bin) => axis().low + bin * width();
const binOf = (value) => Math.floor((value - axis().low) / width());
const centre = (bin) => edge(bin + 0.5);

function draw() {
  if (!shown) return;
  say(find("plot-title"), isOwn() ? axis().label : "Four-lepton mass");
  showLegend();
  const data = content(shown.channels[channel]);
  find("canvas").hidden = false;
  if (!chart) chart = makeChart(data);
  data.forEach((points, position) => (chart.data.datasets[position].data = points));
  Object.assign(chart.options.scales.y, { min: depth(), max: height() });
  chart.options.scales.ratio.display = hasRatio();
  chart.update();
  find("canvas").setAttribute("aria-label", description());
  readOut();
  fillBins();
  noteFirst();
}

function showLegend() {
  const items = [...find("legend").children];
  const { data, stack, error } = shown.channels[channel];
  const drawn = { ...stack, error, data: data.counts };
  for (const item of items) item.hidden = !drawn[item.dataset.name]?.some((events) => events);
  find("legend").hidden = items.every((item) => item.hidden);
}

/** Notes in the browser's own timeline when the first chart is there to be seen. */
function noteFirst() {
  if (performance.getEntriesByName(FIRST).length) return;
  requestAnimationFrame(() => setTimeout(() => performance.mark(FIRST)));
}

/** The highest the plot must show, in steps, so that it does not move with every event. */
function height() {
  const { data, stack, error } = shown.channels[channel];
  const tops = data.counts.map((n, bin) => Math.max(n ? data.high[bin] : 0, total(stack, bin) + error[bin]));
  const highest = Math.max(isWeighted() ? 0 : 4, ...tops) * 1.08 || 4;
  const few = highest > 40 ? 10 : highest > 12 ? 4 : 2;
  const step = highest > 400 || highest < 4 ? 10 ** Math.floor(Math.log10(highest) - 1) * 5 : few;
  return Math.ceil(highest / step) * step;
}

/** The lowest: below 0 where weights are negative. */
const depth = () => Math.min(0, ...shown.channels[channel].data.low) * 1.08;
const isWeighted = () => !shown.channels[channel].data.counts.every(Number.isInteger);

const inStack = (stack, group, bin) => stack[group]?.[bin] ?? 0; // an own analysis has no stack
const total = (stack, bin) => [...BACKGROUNDS, "higgs"].reduce((sum, group) => sum + inStack(stack, group, bin), 0);

/** The points of every dataset of the chart, in the order of `makeChart`. */
function content({ data, stack, error }) {
  const bins = [...Array(axis().bins).keys()];
  const floor = bins.map(() => 0);
  const layer = (group) => bins.map((bin) => {
    const low = floor[bin];
    floor[bin] += inStack(stack, group, bin);
    return { x: centre(bin), y: [low, floor[bin]] };
  });
  const layers = BACKGROUNDS.map(layer);
  const higgs = layer("higgs");
  const line = isOwn() ? [] : [-1, ...bins, axis().bins].map((bin) => ({ x: centre(bin), y: floor[bin] ?? 0 }));
  const band = bins.map((bin) => ({ x: centre(bin), y: [floor[bin] - error[bin], floor[bin] + error[bin]] }));
  const filled = bins.filter((bin) => data.counts[bin]);
  const points = filled.map((bin) => ({ x: centre(bin), y: data.counts[bin] }));
  const intervals = filled.map((bin) => ({ x: centre(bin), y: [data.low[bin], data.high[bin]] }));
  const mark = selected === null ? [] : [{ x: centre(selected), y: [0, height()] }];
  const compared = hasRatio() ? bins.filter((bin) => floor[bin] > 0) : [];
  const over = (bin, ...values) => values.map((value) => value / floor[bin]);
  const agree = compared.map((bin) => ({ x: centre(bin), y: over(bin, floor[bin] - error[bin], floor[bin] + error[bin]) }));
  const ratios = compared.filter((bin) => data.counts[bin] > 0);
  const ratio = ratios.map((bin) => ({ x: centre(bin), y: data.counts[bin] / floor[bin] }));
  const spread = ratios.map((bin) => ({ x: centre(bin), y: over(bin, data.low[bin], data.high[bin]) }));
  return [points, intervals, band, ...layers, higgs, line, ratio, spread, agree, mark];
}

function makeChart(data) {
  const colour = (name, property = "backgroundColor") =>
    getComputedStyle(find("legend").querySelector(`.${name}`))[property];
  const text = getComputedStyle(document.body).color;
  const grid = getComputedStyle(find("legend")).borderTopColor;
  const bar = { type: "bar", grouped: false, barPercentage: 1, categoryPercentage: 1, borderSkipped: false };
  const outline = { borderColor: colour("higgs", "color"), borderWidth: 0.5 };
  const lines = { grid: { display: false }, border: { display: false }, ticks: { color: text } };
  const upright = { ...lines, position: "left", stack: "panels" };
  const points = { type: "scatter", pointRadius: 4, pointBackgroundColor: colour("data"), pointBorderWidth: 0, order: 1 };
  const intervals = { ...bar, barThickness: 1.5, backgroundColor: colour("data"), order: 2 };
  const band = { ...bar, backgroundColor: hatched(text), order: 3 };
  const datasets = [
    points, intervals, band,
    ...BACKGROUNDS.map((group) => ({ ...bar, ...outline, backgroundColor: colour(group), order: 4 })),
    { ...bar, backgroundColor: colour("higgs"), order: 5 },
    { type: "line", stepped: "middle", pointRadius: 0, borderWidth: 2, borderColor: colour("higgs", "borderTopColor"), order: 4.5 },
    ...[points, intervals, band].map((set) => ({ ...set, yAxisID: "ratio" })),
    { ...bar, backgroundColor: grid, order: 6 },
  ];
  const made = new window.Chart(find("canvas"), {
    plugins: [{ afterDraw: (drawn) => frame(drawn, text) }],
    data: { datasets: datasets.map((set, position) => ({ yAxisID: "y", ...set, data: data[position] })) },
    options: {
      maintainAspectRatio: false,
      animation: false,
      events: [],
      plugins: { legend: { display: false }, tooltip: { enabled: false } },
      scales: {
        x: {
          ...lines, type: "linear", min: axis().low, max: axis().high, offset: false,
          title: { display: true, text: axis().label, color: text, align: "end" },
          ticks: { color: text, ...(isOwn() ? {} : { stepSize: 10 }), includeBounds: false },
        },
        ratio: {
          ...upright, display: hasRatio(), min: 0, max: 1.95, stackWeight: 1,
          ticks: { color: text, stepSize: 1, includeBounds: false },
          title: { display: true, text: `${dataName()} / exp.`, color: text },
        },
        y: {
          ...upright, min: depth(), max: height(), stackWeight: 4,
          title: { display: true, text: isOwn() ? `Entries / ${number(width())}` : `Events / ${width()} GeV`, color: text, align: "end" },
        },
      },
    },
  });
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  made.options.animation = { duration: still ? 0 : 500 }; // of what changes: the first picture is there at once
  return made;
}

/** Frames each panel as in the picture: ticks inwards on all four sides, four small ones between two numbers. */
function frame({ ctx: pen, scales: { x, y, ratio } }, colour) {
  pen.save();
  pen.strokeStyle = colour;
  pen.beginPath();
  const line = (...[fromX, fromY, toX, toY]) => (pen.moveTo(fromX, fromY), pen.lineTo(toX, toY));
  const { left, right } = x;
  for (const panel of [y, ratio].filter((one) => one.options.display)) {
    const { top, bottom } = panel;
    pen.rect(left, top, right - left, bottom - top);
    mark(x, (at, size) => (line(at, bottom, at, bottom - size), line(at, top, at, top + size)));
    if (panel === ratio) line(left, ratio.getPixelForValue(1), right, ratio.getPixelForValue(1));
    mark(panel, (at, size) => (line(left, at, left + size, at), line(right, at, right - size, at)));
  }
  pen.stroke();
  pen.restore();
}

function mark(scale, draw) {
  const [first, second] = scale.ticks.map((tick) => tick.value);
  const step = (second - first) / 5;
  for (let n = Math.ceil((scale.min - first) / step); first + n * step <= scale.max; n += 1) {
    draw(scale.getPixelForValue(first + n * step), n % 5 ? 4 : 8);
  }
}

function hatched(colour) {
  const tile = element("canvas", { width: 6, height: 6 });
  const pen = tile.getContext("2d");
  pen.strokeStyle = colour;
  pen.globalAlpha = 0.55;
  pen.lineWidth = 0.8;
  for (const shift of [-6, 0, 6]) {
    pen.moveTo(shift, 6);
    pen.lineTo(shift + 6, 0);
  }
  pen.stroke();
  return pen.createPattern(tile, "repeat");
}

function binAt(event) {
  if (!chart) return null;
  const mass = chart.scales.x.getValueForPixel(event.offsetX);
  const bin = binOf(mass);
  return bin >= 0 && bin < axis().bins ? bin : null;
}

function moveSelection(event) {
  const steps = { ArrowLeft: -1, ArrowRight: 1 };
  if (!shown || !(event.key in steps)) return;
  event.preventDefault();
  const { counts } = shown.channels[channel].data;
  const highest = isOwn() ? counts.indexOf(Math.max(...counts)) : binOf(125);
  const start = selected ?? highest - steps[event.key];
  select(Math.min(axis().bins - 1, Math.max(0, start + steps[event.key])));
}

function select(bin) {
  if (bin === selected || !chart) return;
  selected = bin;
  const set = chart.data.datasets.at(-1);
  set.data = content(shown.channels[channel]).at(-1);
  chart.update("none");
  readOut();
}

function readOut() {
  const { data, stack, error } = shown.channels[channel];
  if (selected === null) {
    say(find("readout"), "Point at a bin, or use the arrow keys, to read it.");
    return;
  }
  if (isOwn()) {
    say(find("readout"), `${number(edge(selected))} to ${number(edge(selected + 1))}: ${count(data.counts[selected])} entries`);
    return;
  }
  const parts = simulated().map((group) => `${LABELS[group]} ${events(stack[group][selected])}`);
  const found = [
    has("data") && `${dataName().toLowerCase()} ${count(data.counts[selected])}`,
    parts.length && `expected ${events(total(stack, selected))} ± ${events(error[selected])} (${parts.join(", ")})`,
  ].filter(Boolean);
  say(find("readout"), `${edge(selected)} to ${edge(selected + 1)} GeV: ${found.join(", ") || "nothing analysed yet"}`);
}

/** The plot in a sentence, for those who do not see it. */
function description() {
  const { data, stack } = shown.channels[channel];
  const sum = (values) => values.reduce((one, other) => one + other, 0);
  if (isOwn()) {
    const highest = data.counts.indexOf(Math.max(...data.counts));
    const peak = sum(data.counts) ? `, most of them at ${number(edge(highest))} to ${number(edge(highest + 1))}` : "";
    return `Histogram of ${axis().label}: ${count(sum(data.counts))} entries${peak}.`;
  }
  const expected = sum(data.counts.map((_, bin) => total(stack, bin)));
  const peak = stack.higgs.indexOf(Math.max(...stack.higgs));
  const where = sum(stack.higgs) ? `; the Higgs boson is highest at ${edge(peak)} to ${edge(peak + 1)} GeV` : "";
  const found = [
    has("data") && `${count(sum(data.counts))} events in ${dataName().toLowerCase()}`,
    simulated().length && `${events(expected)} expected${where}`,
  ].filter(Boolean);
  return `Spectrum of the four-lepton mass, ${shown.low} to ${shown.high} GeV, channel ${CHANNELS[channel]}: ` +
    `${found.join(", ") || "nothing analysed yet"}.`;
}

function fillBins() {
  const table = find("bins");
  if (!shown || !table.closest("details").open) return;
  const now = JSON.stringify([shown.channels[channel], has("data"), simulated()]);
  if (now === tableOf) return;
  tableOf = now;
  const { data, stack, error } = shown.channels[channel];
  if (isOwn()) {
    const entries = data.counts.map((n, bin) => [`${number(edge(bin))} to ${number(edge(bin + 1))}`, count(n)]);
    fillTable(table, `Entries in bins of ${axis().label}`, [axis().label, dataName()], entries);
    return;
  }
  const columns = [
    ["GeV", (bin) => `${edge(bin)} to ${edge(bin + 1)}`],
    has("data") && [dataName(), (bin) => count(data.counts[bin])],
    simulated().length && ["Expected", (bin) => `${events(total(stack, bin))} ± ${events(error[bin])}`],
    ...simulated().map((group) => [LABELS[group], (bin) => events(stack[group][bin])]),
  ].filter(Boolean);
  const rows = data.counts.map((_, bin) => columns.map(([, cell]) => cell(bin)));
  fillTable(table, `Events in bins of the four-lepton mass, channel ${CHANNELS[channel]}`, columns.map(([name]) => name), rows);
}
