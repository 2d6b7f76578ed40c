// How fast shards are finished while a run goes on: by cluster, since the first of them.

import { find } from "./dom.js";
import { duration, rate } from "./format.js";

let chart = null;

export function showPace({ pace }) {
  find("pace-box").hidden = !pace;
  if (!pace) return;
  chart ??= makeChart();
  const names = Object.keys(pace.clusters);
  const parts = pace.clusters[names[0]].map((_, part) => part);
  const all = parts.map((part) => names.reduce((sum, name) => sum + pace.clusters[name][part], 0));
  chart.data.labels = parts.map((part) => duration(part * pace.seconds));
  names.forEach((label, position) => {
    const backgroundColor = `hsl(${(210 + (position * 360) / names.length) % 360} 55% 55%)`;
    Object.assign((chart.data.datasets[position] ??= { barPercentage: 1, categoryPercentage: 1 }), { label, backgroundColor, data: pace.clusters[label] });
  });
  const colour = getComputedStyle(document.body).color;
  for (const scale of Object.values(chart.options.scales)) scale.ticks.color = scale.title.color = colour;
  chart.options.plugins.legend.labels.color = colour;
  chart.update("none");
  find("pace").setAttribute("aria-label", `Shards finished a second, since the first of them: at most ${rate(Math.max(...all))}.`);
}

function makeChart() {
  const scale = (text) => ({ stacked: true, grid: { display: false }, title: { display: true, text }, ticks: { maxTicksLimit: 4, maxRotation: 0 } });
  return new window.Chart(find("pace"), {
    type: "bar",
    data: { datasets: [] },
    options: {
      maintainAspectRatio: false,
      events: [],
      scales: { x: scale("since the first shard"), y: scale("shards / s") },
      plugins: { tooltip: { enabled: false }, legend: { position: "bottom", labels: { boxWidth: 10, boxHeight: 10 } } },
    },
  });
}
