// The plane of two objectives: every method's points, the best known front, the point dialled.

function objectiveAxis(table, objective) {
  return `${table.names[objective]}${table.less} (standard units)`;
}

function aboutPoint(table, row, place) {
  const lines = table.names.map((name, i) => {
    const known = row.low[place][i] !== null;
    const interval = known
      ? ` [${written(row.low[place][i])}, ${written(row.high[place][i])}]` : "";
    return `${quoted(name)} ${written(row.mean[place][i])}${interval}`;
  });
  const drift = row.kl ? [`KL ${written(row.kl[place], 1)} nats a sample`] : [];
  const asked = `preference ${vector(table.preferences[place])}`;
  return [`<b>${quoted(title(row))}</b>`, asked, ...lines, ...drift].join("<br>");
}

function aboutDialled(row, point) {
  return `<b>${quoted(title(row))}</b><br>with further dials: ${vector(point)}`;
}

function drawFronts(node, view) {
  const { table, pair } = view;
  const places = edge(table.preferences, pair);
  const rows = shownRows(view);
  const whole = (i) => spread([
    0, ...table.rows.flatMap((row) => row.mean.map((point) => point[i])),
    ...(table.oracle ?? table.union).map((point) => point[i]),
  ]);
  const clipped = (i) => (view.whole || !table.ranges[i] ? null : spread(table.ranges[i]));
  const ranges = pair.map((i) => clipped(i) ?? whole(i));
  const within = pair.map((i) => clipped(i) ?? [-Infinity, Infinity]);
  const traces = [
    bestFront(table, pair, places),
    ...rows.flatMap((row) => frontOf(table, row, pair, places)),
    direction(view),
    ...(table.oracle ? [dialledOracle(table, pair, view.place)] : []),
    ...rows.flatMap((row) => beyondFronts(table, row, pair, within)),
    ...rows.map((row) => dialledPoint(table, row, pair, view.place, within)),
  ];
  return plot(node, traces, layout({
    xaxis: axis(objectiveAxis(table, pair[0]), { range: ranges[0] }),
    yaxis: axis(objectiveAxis(table, pair[1]), { range: ranges[1] }),
    uirevision: [...pair, view.whole].join(),
  }));
}

function frontOf(table, row, [i, j], places) {
  const on = (chosen) => ({
    x: chosen.map((place) => row.mean[place][i]), y: chosen.map((place) => row.mean[place][j]),
  });
  const all = [...table.preferences.keys()];
  const line = {
    ...on(places), mode: "lines", hoverinfo: "skip", opacity: 0.75,
    line: { color: row.colour, dash: DASHES[row.line], width: 1.8 },
  };
  const points = {
    ...on(all), mode: "markers", customdata: all, hoverinfo: "text",
    hovertext: all.map((place) => aboutPoint(table, row, place)),
    hoverlabel: { bordercolor: row.colour },
    marker: {
      symbol: all.map((place) => `${SYMBOLS[row.marker]}${row.front[place] ? "" : "-open"}`),
      color: row.colour, size: all.map((place) => (places.includes(place) ? 8 : 5)),
      opacity: all.map((place) => (places.includes(place) ? 0.9 : 0.5)),
      line: { width: row.front.map((on) => (on ? 0 : 1.4)) },
    },
  };
  const further = {
    x: row.dialled.map((point) => point[i]), y: row.dialled.map((point) => point[j]),
    mode: "markers", hoverinfo: "text",
    hovertext: row.dialled.map((point) => aboutDialled(row, point)),
    hoverlabel: { bordercolor: row.colour },
    marker: { symbol: "x-thin-open", color: row.colour, size: 5, opacity: 0.7 },
  };
  return [further, line, points];
}

function beyondFronts(table, row, [i, j], within) {
  const points = [...row.mean, ...row.dialled];
  const about = [
    ...row.mean.map((_, place) => aboutPoint(table, row, place)),
    ...row.dialled.map((point) => aboutDialled(row, point)),
  ];
  const trace = arrowsBeyond(row, points.map((point) => [point[i], point[j]]), about, ...within);
  return trace.x.length ? [trace] : [];
}

// The large mark; at the edge if its point is beyond the axes.
function dialledPoint(table, row, [i, j], place, [across, up]) {
  const inside = ([low, high], value) => Math.min(Math.max(value, low), high);
  const [x, y] = [inside(across, row.mean[place][i]), inside(up, row.mean[place][j])];
  const end = (objective) => whisker(
    row.low[place][objective], row.mean[place][objective], row.high[place][objective], row.colour);
  return {
    x: [x], y: [y], mode: "markers", customdata: [place],
    error_x: end(i), error_y: end(j), hoverinfo: "text",
    hovertext: [aboutPoint(table, row, place)], hoverlabel: { bordercolor: row.colour },
    marker: {
      symbol: SYMBOLS[row.marker], color: row.colour, size: 17,
      line: { color: theme().ink, width: 2 },
    },
  };
}

function oracleAt(table, [i, j], places) {
  const about = (place) => [
    "<b>oracle</b>", `preference ${vector(table.preferences[place])}`,
    ...table.names.map((name, n) => `${quoted(name)} ${written(table.oracle[place][n])}`),
  ].join("<br>");
  return {
    x: places.map((place) => table.oracle[place][i]),
    y: places.map((place) => table.oracle[place][j]),
    customdata: places, hoverinfo: "text", hovertext: places.map(about),
  };
}

function dialledOracle(table, pair, place) {
  const marker = { symbol: "circle", color: theme().ink, size: 10 };
  return { ...oracleAt(table, pair, [place]), mode: "markers", marker };
}

function bestFront(table, pair, places) {
  const [i, j] = pair;
  const { ink } = theme();
  if (table.oracle) {
    return {
      ...oracleAt(table, pair, places), mode: "lines+markers",
      line: { color: ink, width: 1 }, marker: { color: ink, size: 4 },
    };
  }
  const front = staircase(table.union.map((point) => [point[i], point[j]]));
  return {
    x: front.map(([x]) => x), y: front.map(([, y]) => y), mode: "lines", hoverinfo: "skip",
    line: { color: ink, width: 1, dash: "dash", shape: "vh" }, opacity: 0.6,
  };
}

// Nondominated points in this plane, ascending in x.
function staircase(points) {
  const front = [];
  for (const point of [...points].sort((a, b) => b[0] - a[0] || b[1] - a[1])) {
    if (!front.length || point[1] > front[0][1]) front.unshift(point);
  }
  return front;
}

// From the origin in the direction of the preference.
function direction({ table, pair, mu }) {
  const farthest = Math.max(...table.rows.flatMap((row) =>
    row.mean.map((point) => Math.hypot(point[pair[0]], point[pair[1]]))));
  const [x, y] = pair.map((objective) => mu[objective]);
  const scale = farthest / (Math.hypot(x, y) || 1);
  return {
    x: [0, x * scale], y: [0, y * scale], mode: "lines+markers", hoverinfo: "skip",
    line: { color: theme().soft, width: 1.2, dash: "dot" },
    marker: { color: theme().ink, symbol: ["cross-thin-open", "circle"], size: [10, 1] },
  };
}

// Three objectives: every preference in the colour of the method with the most utility there.
function drawTernary(node, view) {
  const { table } = view;
  const rows = shownRows(view);
  if (!rows.length) return plot(node, [], layout());
  const ranked = table.preferences.map((mu, place) => [...rows].sort(
    (a, b) => b.utility.mean[place] - a.utility.mean[place]));
  const about = (mu, place) => [
    `<b>preference ${vector(mu)}</b>`,
    ...ranked[place].map((row) => `${quoted(title(row))}: utility ` +
      `${written(row.utility.mean[place])} at ${vector(row.mean[place])}` +
      (row.kl ? `, KL ${written(row.kl[place], 1)}` : "")),
  ].join("<br>");
  const weight = (i) => table.preferences.map((mu) => mu[i]);
  const side = () => ({
    title: { text: "" }, gridcolor: theme().line, linecolor: theme().soft,
    showticklabels: false, ticks: "",
  });
  const trace = {
    type: "scatterternary", mode: "markers", cliponaxis: false,
    a: weight(0), b: weight(1), c: weight(2),
    customdata: [...table.preferences.keys()], hoverinfo: "text",
    hovertext: table.preferences.map(about),
    marker: {
      size: table.preferences.map((mu, place) => (place === view.place ? 25 : 19)),
      color: ranked.map(([best]) => best.colour),
      symbol: ranked.map(([best]) => SYMBOLS[best.marker]),
      opacity: 1,
      line: {
        color: theme().ink,
        width: table.preferences.map((mu, place) => (place === view.place ? 2.5 : 0)),
      },
    },
  };
  return plot(node, [trace, cornerNames(table.names)], layout({
    margin: { l: 50, r: 50, t: 50, b: 50 },
    ternary: { aaxis: side(), baxis: side(), caxis: side(), bgcolor: "rgba(0,0,0,0)" },
  }));
}

// One line away from the corners, where there are marks.
function cornerNames(names) {
  const [top, left, right] = names.map(quoted);
  return {
    type: "scatterternary", mode: "text", cliponaxis: false, hoverinfo: "skip",
    a: [1, 0, 0], b: [0, 1, 0], c: [0, 0, 1],
    text: [`${top}<br>&nbsp;`, `&nbsp;<br>${left}`, `&nbsp;<br>${right}`],
    textposition: ["top center", "bottom center", "bottom center"], textfont: { size: 13 },
  };
}
