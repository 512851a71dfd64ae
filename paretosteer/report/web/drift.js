// Quality at equal drift: hypervolume of the points below a threshold of KL.

function drift(node, view) {
  const chart = chartBox("Hypervolume of the points below a KL from the start model");
  const middle = written(view.table.drift.middle, 1);
  node.append(
    make("p", { class: "soft" },
      "Reward can be bought by going far from the start model. Here every method is measured " +
      "only by its points within a given KL of it."),
    chart,
    make("p", { class: "soft small" },
      `Half of the competing methods' points are left of the dotted line (${middle} nats), where the ` +
      "column “HV at equal drift” is read. Where curves are steep, another threshold may rank " +
      "the methods differently."), legend(view));
  view.parts.push({ node: chart, draw: () => drawDrift(chart, view) });
}

function drawDrift(chart, view) {
  const { thresholds, middle } = view.table.drift;
  const rows = shownRows(view).filter((row) => row.drift);
  const last = thresholds[thresholds.length - 1];
  const wide = last > 20 * thresholds[0];
  const lines = rows.map((row) => ({
    x: thresholds, y: row.drift, mode: "lines+markers", hoverinfo: "text",
    line: { color: row.colour, shape: "hv", dash: DASHES[row.line], width: 2 },
    marker: { color: row.colour, size: 6, symbol: SYMBOLS[row.marker] },
    hoverlabel: { bordercolor: row.colour },
    hovertext: thresholds.map((limit, n) => `<b>${quoted(title(row))}</b><br>` +
      `KL below ${limit.toPrecision(3)}: hypervolume ${written(row.drift[n])}`),
  }));
  const { soft } = theme();
  return plot(chart, lines, layout({
    xaxis: axis("KL below (nats per sample)", { type: wide ? "log" : "linear" }),
    yaxis: axis("hypervolume of the points below"),
    shapes: [{
      type: "line", x0: middle, x1: middle, y0: 0, y1: 1, yref: "paper",
      line: { color: soft, width: 1.2, dash: "dot" },
    }],
  }));
}
