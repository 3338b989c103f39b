// Requests per second of each color, from the balancer's own counters, over the last two minutes.
"use strict";
(() => {
  let every = 1; // seconds between two looks: the controller says
  const WINDOW = 120; // seconds that are shown at most
  const LEAST = 30; // and at least
  const place = document.getElementById("chart");
  if (!place) return;

  const ink = () => getComputedStyle(document.documentElement);
  const color = (name) => ink().getPropertyValue(name).trim();
  const names = ["blue", "green"];
  const hour = (at) => new Date(at * 1000).toISOString().slice(11, 19);
  const data = [[], [], [], []]; // seconds, blue, green, errors
  let before = null;
  let plot = null;

  function axis(label) {
    return { stroke: () => color("--quiet"), grid: { stroke: () => color("--line"), width: 1 }, ticks: { show: false }, ...label };
  }

  function draw() {
    return new uPlot({
      width: place.clientWidth,
      height: 200,
      legend: { live: false },
      cursor: { drag: { x: false, y: false } },
      scales: {
        x: { range: (self, from, to) => [Math.min(Math.max(from, to - WINDOW), to - LEAST), to] },
        y: { range: (self, from, to) => [0, Math.max(10, to * 1.1)] },
      },
      axes: [axis({ space: 90, values: (self, ticks) => ticks.map(hour) }), axis({ size: 44 })],
      series: [
        { label: "Time" },
        { label: "blue", stroke: () => color("--blue"), width: 2, fill: () => color("--blue-soft"), points: { show: false } },
        { label: "green", stroke: () => color("--green"), width: 2, fill: () => color("--green-soft"), points: { show: false } },
        { label: "errors", stroke: () => color("--bad"), width: 2, dash: [4, 3], points: { show: false } },
      ],
    }, data, place);
  }

  // A counter that began anew (the balancer was reloaded, the color came back) tells nothing once.
  const grown = (now, then) => (now >= then ? now - then : 0);

  function take(found) {
    if (before && found.at > before.at) {
      const seconds = found.at - before.at;
      const rates = names.map((name) => grown(found.colors[name].requests, before.colors[name].requests) / seconds);
      const errors = names.reduce((sum, name) => sum + grown(found.colors[name].errors, before.colors[name].errors), 0);
      [found.at, ...rates, errors / seconds].forEach((value, series) => data[series].push(value));
      while (data[0][0] < found.at - WINDOW) data.forEach((series) => series.shift());
    }
    before = found;
  }

  async function look() {
    if (!document.hidden) {
      try {
        const address = `${place.dataset.counters}?after=${before ? before.at : 0}`;
        const answer = await fetch(address, { headers: { Accept: "application/json" } });
        if (answer.ok) {
          const told = await answer.json();
          told.samples.forEach(take);
          every = told.every;
        }
        if (data[0].length && plot) plot.setData(data);
        else if (data[0].length) plot = draw();
        place.dataset.points = String(data[0].length);
      } catch { /* the page says that the connection is lost */ }
    }
    setTimeout(look, every * 1000);
  }

  new ResizeObserver(() => { if (plot) plot.setSize({ width: place.clientWidth, height: 200 }); }).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (plot) { plot.destroy(); plot = draw(); } });
  look();
})();
