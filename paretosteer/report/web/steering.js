// Objectives against their weights, and against a cube of a method's own dials.

const MOST_BANDS = 8;

function responses(node, view) {
  const { table } = view;
  const charts = table.names.map((name) => chartBox(`Response of ${name} to its weight`));
  node.append(make("div", { class: "charts" }, ...charts), ...wholeAxes(view), legend(view),
    make("p", { class: "soft small" },
      `Bands are 95\u00a0% intervals, drawn while no more than ${MOST_BANDS} methods are shown.`));
  charts.forEach((chart, i) =>
    view.parts.push({ node: chart, draw: () => drawResponse(chart, view, i) }));
}

function drawResponse(chart, view, i) {
  const rows = shownRows(view);
  const bands = rows.length > MOST_BANDS ? [] : rows.map((row) => bandOf(row, row.responses[i]));
  const lines = rows.map((row) => lineOf(row, row.responses[i]));
  const clipped = !view.whole && view.table.ranges[i];
  const range = clipped ? spread(clipped) : null;
  const beyond = range ? rows.map((row, n) => arrowsBeyond(
    row, row.responses[i], lines[n].hovertext, [-Infinity, Infinity], range)) : [];
  return plot(chart, [...bands, ...lines, ...beyond], layout({
    xaxis: axis(`weight on ${view.table.names[i]}`, { range: [-0.03, 1.03] }),
    yaxis: axis(objectiveAxis(view.table, i), range ? { range } : {}),
    uirevision: view.whole,
  }));
}

function bandOf(row, levels) {
  const banded = levels.filter(([, , low, high]) => low !== null && high !== null);
  const back = [...banded].reverse();
  return {
    x: [...banded, ...back].map(([weight]) => weight),
    y: [...banded.map(([, , low]) => low), ...back.map(([, , , high]) => high)],
    fill: "toself", fillcolor: faded(row.colour, 0.14), line: { width: 0 }, mode: "lines",
    hoverinfo: "skip",
  };
}

function lineOf(row, levels) {
  return {
    x: levels.map(([weight]) => weight), y: levels.map(([, mean]) => mean), mode: "lines+markers",
    line: { color: row.colour, dash: DASHES[row.line], width: 2 },
    marker: { symbol: SYMBOLS[row.marker], color: row.colour, size: 7 }, hoverinfo: "text",
    hoverlabel: { bordercolor: row.colour },
    hovertext: levels.map(([weight, mean, low, high]) => `<b>${quoted(title(row))}</b><br>` +
      `weight ${written(weight)}: ${written(mean)} [${written(low)}, ${written(high)}]`),
  };
}

// With two objectives a spider has two legs, which the map of slopes shows better.
function spider(node, view) {
  const { table } = view;
  const rows = table.names.length > 2 ? table.rows.filter((row) => row.cube) : [];
  for (const row of rows) {
    let chosen = row.cube.dials.length - 1;
    const chart = chartBox(`Objectives of ${row.label} by its dials`);
    const pick = choice("Dials", row.cube.dials.map((alpha) => `α ${vector(alpha)}`), chosen,
      (place) => view.change(() => { chosen = place; }));
    node.append(make("h4", {}, ...breakable(`Dials α of its own: ${title(row)}`)),
      make("label", { class: "pick" }, `α of ${table.names.join(", ")} `, pick), chart);
    view.parts.push({ node: chart, draw: () => drawSpider(chart, table, row, chosen) });
  }
}

function drawSpider(chart, table, row, chosen) {
  const names = table.names.map(quoted);
  const around = (alpha, place) => ({
    type: "scatterpolar", theta: [...names, names[0]], mode: "lines+markers",
    r: [...row.cube.points[place], row.cube.points[place][0]], hoverinfo: "text",
    hovertext: [...names, names[0]].map((name, i) =>
      `α ${vector(alpha)}<br>${name} ${written(row.cube.points[place][i % names.length])}`),
    opacity: place === chosen ? 1 : 0.3, fill: place === chosen ? "toself" : "none",
    fillcolor: faded(row.colour, 0.2), line: { color: row.colour, width: place === chosen ? 3 : 1 },
  });
  const { line, soft } = theme();
  const inOrder = row.cube.dials.map(around).sort((a, b) => a.opacity - b.opacity);
  return plot(chart, inOrder, layout({
    margin: { l: 60, r: 60, t: 40, b: 40 },
    polar: {
      bgcolor: "rgba(0,0,0,0)",
      radialaxis: {
        range: spread(row.cube.points.flat()), gridcolor: line, color: soft, nticks: 4,
        angle: 90, tickangle: 90,
      },
      angularaxis: { gridcolor: line, linecolor: soft },
    },
  }));
}
