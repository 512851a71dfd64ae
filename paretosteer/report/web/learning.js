// Learning curves: what was recorded while a row's first replicate trained.

function learning(node, view) {
  if (!view.table.learning) return;
  const { quantities } = view.table.learning;
  const chart = chartBox("Learning curves");
  let chosen = 0;
  const pick = choice("Quantity", quantities, chosen,
    (place) => view.change(() => { chosen = place; }));
  node.append(make("h3", {}, "Learning curves"),
    make("p", { class: "soft" },
      "Every method's training, of its first seed: means over a few steps each. Lines break where " +
      "another phase starts. Losses of different methods are not comparable; rewards are raw, of " +
      "training prompts and the preferences trained on."),
    make("label", { class: "pick" }, "Show ", pick), chart, legend(view));
  view.parts.push({ node: chart, draw: () => drawLearning(chart, view, quantities[chosen]) });
}

function drawLearning(chart, view, quantity) {
  const curves = view.table.learning.rows;
  const lines = [];
  view.table.rows.forEach((row, place) => {
    const curve = curves[place];
    if (view.hidden.has(place) || !curve?.means[quantity]) return;
    lines.push(curveOf(row, curve, curve.means[quantity]));
  });
  return plot(chart, lines, layout({
    xaxis: axis("optimiser step"), yaxis: axis(quantity), uirevision: quantity,
  }));
}

function curveOf(row, { steps, phases, seed }, values) {
  const line = { x: [], y: [], hovertext: [] };
  steps.forEach((step, n) => {
    if (n && phases[n] !== phases[n - 1]) {
      line.x.push(step);
      line.y.push(null);
      line.hovertext.push("");
    }
    line.x.push(step);
    line.y.push(values[n]);
    line.hovertext.push(`<b>${quoted(title(row))}</b>, seed ${seed}<br>` +
      `${quoted(phases[n])}, step ${step}: ${written(values[n], 3)}`);
  });
  // A few markers tell the lines apart, a marker on every point would hide them.
  const every = Math.ceil(line.x.length / 6);
  const alone = (n) => (line.y[n - 1] ?? line.y[n + 1] ?? null) === null; // no line goes there
  return {
    ...line, mode: "lines+markers", hoverinfo: "text", hoverlabel: { bordercolor: row.colour },
    line: { color: row.colour, dash: DASHES[row.line], width: 1.8 },
    marker: {
      color: row.colour, symbol: SYMBOLS[row.marker],
      size: line.x.map((_, n) => (n % every === 0 || alone(n) ? 8 : 0.1)),
    },
  };
}
