// Quality against cost: hypervolume against a cost that the reader chooses.

function costs(node, view) {
  const { table } = view;
  if (!table.costs.length) return;
  const values = (figure) =>
    table.rows.map((row) => row.costs[figure]).filter((value) => value !== undefined);
  // At first the cost that tells most methods apart.
  const sizes = table.costs.map(({ figure }) => new Set(values(figure)).size);
  let chosen = sizes.indexOf(Math.max(...sizes));
  const timed = table.costs.some(({ unit }) => unit === "seconds")
    ? " Training is wall time: it also depends on the machine and on what else the machine ran." : "";
  const chart = chartBox("Hypervolume against cost");
  const pick = choice("Cost", table.costs.map((cost) => cost.title), chosen,
    (place) => view.change(() => { chosen = place; }));
  node.append(make("label", { class: "pick" }, "Hypervolume against ", pick), chart,
    make("p", { class: "soft small" },
      "Ringed methods, joined by the dotted line, are not dominated: no other method has at least " +
      "their hypervolume at no higher cost. Names without room are left out; hover for them." + timed),
    legend(view));
  view.parts.push({ node: chart, draw: () => drawCosts(chart, view, table.costs[chosen]) });
}

function drawCosts(chart, view, cost) {
  const rows = shownRows(view).filter((row) => row.costs[cost.figure] !== undefined);
  if (!rows.length) return plot(chart, [], layout());
  const price = (row) => row.costs[cost.figure];
  const best = rows.filter((row) => !rows.some((other) => cheaperAndBetter(other, row, price)));
  const { ink, soft } = theme();
  const prices = rows.map(price);
  const wide = Math.min(...prices) > 0 && Math.max(...prices) > 20 * Math.min(...prices);
  const joined = [...best].sort((a, b) => price(a) - price(b));
  const frontier = {
    x: joined.map(price), y: joined.map((row) => row.volume[0]), mode: "lines", hoverinfo: "skip",
    line: { color: soft, width: 1.2, dash: "dot", shape: "hv" },
  };
  // Ringed marks last, so that none covers them.
  const drawn = [...rows].sort((a, b) =>
    best.includes(a) - best.includes(b) || a.volume[0] - b.volume[0]);
  const sides = sidesOf(chart, drawn, best, price, wide);
  const marks = drawn.map((row) => ({
    x: [price(row)], y: [row.volume[0]], mode: "markers+text", text: [sides.get(row) ? quoted(title(row)) : ""],
    textposition: sides.get(row) || "middle right", textfont: { size: 11, color: soft }, cliponaxis: false,
    error_y: whisker(row.volume[1], row.volume[0], row.volume[2], faded(row.colour, 0.6)),
    hoverinfo: "text", hoverlabel: { bordercolor: row.colour },
    hovertext: [`<b>${quoted(title(row))}</b><br>hypervolume ${written(row.volume[0])} ` +
      `[${written(row.volume[1])}, ${written(row.volume[2])}]<br>` +
      `${quoted(cost.title)} ${price(row).toPrecision(3)} ${cost.unit}`],
    marker: {
      symbol: SYMBOLS[row.marker], color: row.colour, size: 12,
      line: { color: ink, width: best.includes(row) ? 2 : 0 },
    },
  }));
  return plot(chart, [frontier, ...marks], layout({
    xaxis: axis(cost.unit ? `${cost.title}, ${cost.unit}` : cost.title, {
      type: wide ? "log" : "linear", exponentformat: "SI", range: roomForNames(prices, wide),
    }),
    yaxis: axis("hypervolume", { range: roomForWhiskers(rows) }), uirevision: cost.figure,
  }));
}

// Names of the most expensive are to their right.
function roomForNames(prices, logarithmic) {
  const [low, high] = spread(logarithmic ? prices.map(Math.log10) : prices);
  return [low, high + 0.2 * (high - low)];
}

function roomForWhiskers(rows) {
  return spread(rows.flatMap((row) => row.volume).filter((end) => end !== null));
}

// Sides of the names by row; those of ringed marks are placed first.
function sidesOf(chart, rows, best, price, logarithmic) {
  const { l, r, t, b } = layout().margin;
  const [width, height] = [chart.clientWidth - l - r, chart.clientHeight - t - b];
  const [left, right] = roomForNames(rows.map(price), logarithmic);
  const [low, high] = roomForWhiskers(rows);
  const sorted = [...rows].sort((x, y) => best.includes(y) - best.includes(x));
  const across = (row) => {
    const at = logarithmic ? Math.log10(price(row)) : price(row);
    return width * (at - left) / (right - left);
  };
  const down = (volume) => height * (high - volume) / (high - low);
  const place = (row) => [across(row), down(row.volume[0])];
  const whiskers = rows.filter((row) => row.volume[1] !== null).map((row) =>
    [across(row) - 2, down(row.volume[2]), across(row) + 2, down(row.volume[1])]);
  const steps = [...best].sort((x, y) => price(x) - price(y)).map(place);
  const lines = steps.slice(1).flatMap(([x, y], n) => {
    const [before, level] = steps[n];
    return [[before + 8, level - 2, x, level + 2], [x - 2, y, x + 2, level]];
  });
  const sides = labelSides(
    sorted.map(place), sorted.map(title), width, height, [...whiskers, ...lines]);
  return new Map(sorted.map((row, n) => [row, sides[n]]));
}

function cheaperAndBetter(a, b, price) {
  return price(a) <= price(b) && a.volume[0] >= b.volume[0] &&
    (price(a) < price(b) || a.volume[0] > b.volume[0]);
}

// Quality against budget: rows of one configuration under several caps.

function budgets(node, view) {
  const chart = chartBox("Hypervolume against budget");
  node.append(chart, make("p", { class: "soft small" },
    "One line for each configuration that was trained under several caps on optimiser steps."));
  view.parts.push({ node: chart, draw: () => drawBudgets(chart, view) });
}

function drawBudgets(chart, view) {
  const { table } = view;
  const lines = table.ladders.map(({ label, steps }) => {
    const seen = steps.filter(({ row }) => !view.hidden.has(row));
    const rows = seen.map(({ row }) => table.rows[row]);
    const colour = rows[0]?.colour ?? theme().soft;
    const volume = (place) => rows.map((row) => row.volume[place]);
    const up = rows.map((row) => row.volume[2] - row.volume[0]);
    const down = rows.map((row) => row.volume[0] - row.volume[1]);
    return {
      x: seen.map(({ cap }) => cap), y: volume(0), mode: "lines+markers", hoverinfo: "text",
      hovertext: seen.map(({ cap }, n) => `<b>${quoted(label)}</b><br>cap ${cap} steps<br>` +
        `hypervolume ${written(volume(0)[n])} [${written(volume(1)[n])}, ` +
        `${written(volume(2)[n])}]`),
      error_y: {
        type: "data", symmetric: false, array: up, arrayminus: down,
        color: faded(colour, 0.6), thickness: 1.5, width: 0,
      },
      line: { color: colour }, hoverlabel: { bordercolor: colour },
      marker: { color: colour, size: 10, symbol: rows.map((row) => SYMBOLS[row.marker]) },
    };
  });
  return plot(chart, lines.filter((line) => line.x.length), layout({
    xaxis: axis("cap on optimiser steps"), yaxis: axis("hypervolume"),
  }));
}
