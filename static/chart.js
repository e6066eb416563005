/* Draws how a sale went. The page holds the same as a table; when it is asked for anew and its <main> is put in the place of the
   old one, the charts that are there move over, and get their new figures as soon as those come. */
"use strict";
(() => {
  const HEIGHT = 180; // px, as in the style sheet
  const FONT = "12px system-ui, sans-serif";
  const plots = new Map(); // name → chart
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const two = (number) => String(number).padStart(2, "0");

  const moments = (_, values, __, ___, step) => values.map((seconds) => {
    const date = new Date(seconds * 1000);
    const day = `${two(date.getMonth() + 1)}-${two(date.getDate())}`;
    if (step >= 86400) return day;
    const time = `${two(date.getHours())}:${two(date.getMinutes())}`;
    return step < 60 ? `${time}:${two(date.getSeconds())}` : time;
  });
  const wide = (_, values) => 16 + 7 * Math.max(2, ...(values ?? []).map((value) => value.length));
  const axis = (more) => ({
    stroke: () => colour("--quiet"), font: FONT, grid: { stroke: () => colour("--line"), width: 1 }, ticks: { show: false }, ...more,
  });

  const options = (name, width) => ({
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_, least, most) => [0, Math.max(most * 1.05, 1)] } },
    axes: [axis({ values: moments, space: 72, size: 28 }), axis({ size: wide, space: 36 })],
    series: [{}, {
      stroke: () => colour(name === "rate" ? "--accent" : "--good"),
      fill: () => colour(name === "rate" ? "--accent-wash" : "--good-wash"),
      width: 2,
      points: { show: false },
      paths: name === "rate" ? uPlot.paths.stepped({ align: 1 }) : uPlot.paths.linear(),
    }],
  });

  const figures = {
    rate: ({ start, end, orders }) => {
      const rates = orders.map((count, index) => count / Math.max(1, end[index] - start[index]));
      return [[...start, end.at(-1)], [...rates, rates.at(-1)]]; // the last step, too, has a width
    },
    paid: ({ start, end, paid, revenue }, digits) => [
      [start[0], ...end], [0, ...(digits === undefined ? paid : revenue.map((minor) => minor / 10 ** digits))],
    ],
  };

  const draw = async () => {
    const charts = document.querySelector("[data-series]");
    if (!charts) return;
    const places = [...charts.querySelectorAll("[data-chart]")];
    for (const place of places) { // at once, so that nothing flickers
      const plot = plots.get(place.dataset.chart);
      if (plot) place.append(plot.root);
    }
    try {
      const answer = await fetch(charts.dataset.series, { cache: "no-store" });
      if (!answer.ok) return;
      const series = await answer.json();
      if (!charts.isConnected || !series.start.length) return;
      for (const place of places) {
        const name = place.dataset.chart;
        const data = figures[name](series, charts.dataset.digits);
        if (plots.has(name)) plots.get(name).setData(data);
        else plots.set(name, new uPlot(options(name, place.clientWidth), data, place));
      }
    } catch {
      // No network: the next round asks again.
    }
  };

  const fit = () => {
    for (const plot of plots.values()) {
      const { clientWidth } = plot.root.parentElement ?? {};
      if (clientWidth) plot.setSize({ width: clientWidth, height: HEIGHT });
    }
  };

  addEventListener("resize", fit);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plots.forEach((plot) => plot.redraw()));
  new MutationObserver((changes) => {
    if (changes.some(({ addedNodes }) => [...addedNodes].some(({ id }) => id === "main"))) draw();
  }).observe(document.body, { childList: true });
  draw();
})();
