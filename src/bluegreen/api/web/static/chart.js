// Requests per second of each color, from the balancer's own counters, over the last two minutes.
"use strict";
(() => {
  const EVERY = 1000; // ms between two looks
  const WINDOW = 120; // seconds that are shown
  const place = document.getElementById("chart");
  if (!place) return;

  const ink = () => getComputedStyle(document.documentElement);
  const color = (name) => ink().getPropertyValue(name).trim();
  const names = ["blue", "green"];
  const data = [[], [], [], []]; // seconds, blue, green, errors
  let before = null;
  let plot = null;

  function axis(label) {
    return { stroke: () => color("--quiet"), grid: { stroke: () => color("--line"), width: 1 }, ticks: { show: false }, ...label };
  }

  function draw() {
    const rate = (self, value) => (value == null ? "–" : value.toFixed(value < 10 ? 1 : 0));
    return new uPlot({
      width: place.clientWidth,
      height: 200,
      cursor: { drag: { x: false, y: false } },
      scales: {
        x: { range: (self, from, to) => [to - WINDOW, to] },
        y: { range: (self, from, to) => [0, Math.max(10, to * 1.1)] },
      },
      axes: [axis({ space: 70 }), axis({ size: 44 })],
      series: [
        { label: "Time" },
        { label: "blue", stroke: () => color("--blue"), width: 2, fill: () => color("--blue-soft"), value: rate, points: { show: false } },
        { label: "green", stroke: () => color("--green"), width: 2, fill: () => color("--green-soft"), value: rate, points: { show: false } },
        { label: "errors", stroke: () => color("--bad"), width: 2, dash: [4, 3], value: rate, points: { show: false } },
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
      if (plot) plot.setData(data);
      else plot = draw();
      place.dataset.points = String(data[0].length);
    }
    before = found;
  }

  async function look() {
    if (!document.hidden) {
      try {
        const answer = await fetch(place.dataset.counters, { headers: { "HX-Request": "true" } });
        if (answer.ok) take(await answer.json());
      } catch { /* the page says that the connection is lost */ }
    } else {
      before = null;
    }
    setTimeout(look, EVERY);
  }

  new ResizeObserver(() => { if (plot) plot.setSize({ width: place.clientWidth, height: 200 }); }).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (plot) plot.redraw(); });
  look();
})();
