// The dial: shows every method's point and texts at the chosen preference.

const MOST_CELLS = 6;  // named on a card
const DAMAGE_MARK = "⚠";  // as in `evaluate_table.py`

function dial(node, view) {
  const { table } = view;
  const readout = make("output", { class: "readout" });
  const measured = make("p", { class: "soft small" });
  const leader = make("p", { class: "leader" });
  const control = preferenceControl(table, view.mu, (mu) => view.turn(mu));
  const planes = pairsOf(table.names.length);
  const plane = planes.length > 1
    ? [make("label", { class: "pick" }, "Plane ", choice("Plane",
      planes.map(([i, j]) => `${cut(table.names[i], 30)} and ${cut(table.names[j], 30)}`), 0,
      (chosen) => view.change(() => { view.pair = planes[chosen]; })))]
    : [];
  const chart = chartBox("Fronts of all methods", "tall");
  const oracle = table.oracle ? " The large dot is the oracle's point." : "";
  const dials = table.rows.some((row) => row.dialled.length)
    ? " Small × are points at other dial values." : "";
  const caption = `Hollow marks are dominated by another point of the same method.${dials} ` +
    `${table.reading}${oracle} The dotted line runs from 0 along the preference.`;
  const cards = cardsOf(view);
  node.append(
    make("h3", {}, "Dial"),
    make("p", { class: "soft" }, hint(table)),
    make("div", { class: "desk" },
      make("div", { class: "console" }, readout, control.node, measured, leader, legend(view), shareLink(view)),
      make("div", { class: "screen" }, ...plane, chart,
        make("p", { class: "soft small" }, caption), ...wholeAxes(view))),
    ...cards.nodes);
  view.parts.push({
    node: chart, turns: true, draw: () => drawFronts(chart, view), update: () => {
      control.set(view.mu);
      readout.replaceChildren(...table.names.map((name, i) =>
        make("span", {}, make("b", {}, percent(view.mu[i])), ` ${name}`)));
      const closest = vector(table.preferences[view.place]);
      measured.textContent = `Nearest measured preference: ${closest}`;
      leader.textContent = leaderText(view);
      cards.update();
    },
  });
}

function hint(table) {
  const keys = table.names.length === 3
    ? "Drag in the triangle, or use the arrow keys on its handle (Home goes to the middle)."
    : "Drag, or use the arrow keys.";
  return `Choose what matters to you. ${keys} Large marks are what each method offers at that ` +
    "preference, with its 95\u00a0% interval; click any point to go to its preference.";
}

function cardsOf(view) {
  const { table } = view;
  const cards = table.rows.map((row) => card(table, row));
  const grid = make("div", { class: "cards" }, ...cards.map((each) => each.node));
  const prompt = table.texts ? promptPicker(view) : null;
  const update = () => {
    const best = bestHere(view);
    const worth = (row) => row.utility.mean[view.place];
    const order = [...table.rows].sort((a, b) => worth(b) - worth(a));
    cards.forEach((each, place) => {
      each.node.hidden = view.hidden.has(place);
      each.node.style.order = order.indexOf(table.rows[place]);
      each.show(view, best);
      if (table.texts) each.write(view, table.texts, place);
    });
    prompt?.update();
  };
  const means = make("p", { class: "soft small" },
    "Bars show each objective on the range of all methods, with its 95\u00a0% interval. " +
    "“Not significantly worse”: the 95\u00a0% interval of the paired difference in utility at this preference " +
    "contains 0, without correction for many comparisons.");
  return { nodes: [...(prompt ? [prompt.node] : []), means, grid], update };
}

function promptPicker(view) {
  const { texts, preferences } = view.table;
  const turns = turnsOf(texts);
  const shown = make("p", { class: "prompt" });
  const where = make("p", { class: "soft small" });
  const whole = make("p", { class: "whole" });
  const toggle = make("details", { class: "small" },
    make("summary", {}, "Whole prompt, as the model reads it"), whole);
  const select = choice("Prompt", texts.prompts.map((_, n) => `${n + 1}. ${cut(turns[n], 90)}`),
    0, (chosen) => view.change(() => { view.prompt = chosen; }));
  const step = (by, label) => {
    const button = make("button", { type: "button", "aria-label": label }, by < 0 ? "‹" : "›");
    button.addEventListener("click", () => view.change(() => {
      view.prompt = (view.prompt + by + texts.prompts.length) % texts.prompts.length;
    }));
    return button;
  };
  const node = make("div", { class: "prompts" },
    make("h4", {}, "What each method writes there"),
    make("div", { class: "pick" }, select, step(-1, "Previous prompt"), step(1, "Next prompt")),
    shown, toggle, where);
  const update = () => {
    select.value = view.prompt;
    shown.textContent = turns[view.prompt];
    whole.textContent = texts.prompts[view.prompt];
    toggle.hidden = whole.textContent === shown.textContent;
    const place = texts.places[textPlace(view)];
    const elsewhere = place === view.place ? "" : `Texts are for ${vector(preferences[place])}. `;
    const scored = seedsOfTexts(view.table) + "Below each text are its scores: raw, and in standard deviations of the " +
      "start model's scores. ";
    where.textContent = scored + elsewhere + texts.omission;
  };
  return { node, update };
}

// Marks and bars are means over all replicates, a text is of one.
function seedsOfTexts({ texts }) {
  const first = new Set(texts.replicates.map(([name]) => name));
  const most = Math.max(...texts.replicates.map((names) => names.length));
  const of = first.size === 1 ? ` of ${[...first][0]}` : " of each method's first";
  return most === 1 ? `Bars and texts are${of}. ` : `Bars are means over ${most} replicates, texts are${of}. `;
}

function textPlace({ table, mu }) {
  const { places } = table.texts;
  return places.indexOf(nearest(table.preferences, mu, places));
}

// Shown methods under the budget.
function competingRows(view) {
  return shownRows(view).filter((row) => !row.exempt);
}

// The one whose point has the most utility; null if there is none.
function bestHere(view, eligible = () => true) {
  const worth = (row) => row.utility.mean[view.place];
  return competingRows(view).filter(eligible)
    .reduce((a, b) => (a && worth(a) >= worth(b) ? a : b), null);
}

// True if the best of the methods shown has others to beat.
function isCompared(view) {
  return competingRows(view).length > 1;
}

// True if two rows have the same utility, as those have that offer the same points.
function isEqual({ place }, row, other) {
  return row.utility.mean[place] === other.utility.mean[place];
}

function leaderText(view) {
  const best = bestHere(view);
  if (!best || !isCompared(view)) return "";
  const others = competingRows(view).filter((row) => row !== best);
  const equal = others.filter((row) => isEqual(view, row, best));
  const tied = others.filter((row) => !equal.includes(row) && isTied(view, row, best));
  const names = (rows) => rows.map((row) => cut(title(row), 40)).join(", ");
  const close = tied.length ? `; not significantly worse: ${names(tied)}` : "";
  const first = equal.length ? "Tied for best here" : "Best here";
  const where = best.mark ? `${first}, at an unknown cost` : `${first} under the budget`;
  return `${where}: ${names([best, ...equal])}, ${worthText(best, view.place)}${close}. ` +
    `${best.bill}.${undamagedText(view, best)}`;
}

// Warns where the best method's texts are usually damaged, and names the best of the others.
function undamagedText(view, best) {
  if (!isDamaged(view, best)) return "";
  const other = bestHere(view, (row) => !isDamaged(view, row));
  const name = other ? `${cut(title(other), 40)}, ${worthText(other, view.place)}` : "none";
  return ` ${DAMAGE_MARK} Its texts are usually damaged here; best undamaged: ${name}.`;
}

function isDamaged({ place }, row) {
  return Boolean(row.damaged[place]);
}

function worthText(row, place) {
  const { mean, low, high } = row.utility;
  return `utility ${written(mean[place])} [${written(low[place])}, ${written(high[place])}]`;
}

// The interval of the paired difference in utility contains 0.
function isTied({ table, place }, row, best) {
  return table.alike[table.rows.indexOf(best)][place].includes(table.rows.indexOf(row));
}

function standing(view, row, best) {
  if (row.exempt) return "reference, over the budget";
  if (!isCompared(view)) return "";
  if (isEqual(view, row, best)) {
    const equal = competingRows(view).filter((each) => isEqual(view, each, best));
    const first = equal.length > 1 ? "tied for best here" : "best here";
    return isDamaged(view, row) ? `${first} ${DAMAGE_MARK} damaged` : first;
  }
  return isTied(view, row, best) ? "not significantly worse" : "";
}

function card(table, row) {
  const badge = make("span", { class: "badge" });
  const meters = table.names.map((name, i) => meter(table, row, name, i));
  const sums = make("p", { class: "soft small sums" });
  const text = make("p", { class: "written" });
  const scores = make("ul", { class: "scores" });
  const node = make("article", { class: "card", style: `--own:${row.colour}` },
    make("h5", {}, key(row), ...breakable(` ${title(row)} `), badge),
    ...meters.map((each) => each.node), sums, make("p", { class: "soft small sums bill" }, row.bill),
    cellLinks(row),
    ...(table.texts ? [text, scores] : []));
  const show = (view, best) => {
    badge.textContent = best ? standing(view, row, best) : "";
    badge.hidden = !badge.textContent;
    badge.classList.toggle("plain", !best || row.exempt || !isEqual(view, row, best) || isDamaged(view, row));
    meters.forEach((each) => each.show(view.place));
    const mark = isDamaged(view, row) ? `${DAMAGE_MARK} ` : "";
    const drift = row.kl ? ` · KL ${mark}${written(row.kl[view.place], 1)}` : "";
    sums.textContent = `${worthText(row, view.place)}${drift}`;
  };
  const write = (view, texts, place) => {
    const entry = texts.rows[place][view.prompt]?.[textPlace(view)];
    text.textContent = entry ? entry[0] : "no text";
    text.classList.toggle("soft", !entry);
    const raw = entry ? entry.slice(1) : [];
    const { mean, std } = texts.normalisers[place][0];
    scores.replaceChildren(...raw.map((score, i) =>
      chip(table, i, score, (score - mean[i]) / std[i])));
  };
  return { node, show, write };
}

// The cells that a card's figures come from, each a link to its provenance; of many, the first.
function cellLinks({ cells }) {
  const shown = cells.filter(([, anchor]) => anchor).slice(0, MOST_CELLS);
  const links = shown.map(([name, anchor]) => make("a", { href: `#${anchor}` }, name));
  const more = cells.length - shown.length;
  if (more) links.push(make("a", { href: "#cells" }, `${more} more`));
  return make("p", { class: "soft small sums" }, "Cells: ",
    ...links.flatMap((link, n) => (n ? [", ", link] : [link])));
}

// A track over the range of all methods, with this method's value and interval.
function meter(table, row, name, i) {
  const [low, high] = spread(table.rows.flatMap((each) => each.mean.map((point) => point[i])));
  const at = (value) => Math.min(100, Math.max(0, (100 * (value - low)) / (high - low)));
  const band = make("i", {});
  const mark = make("b", {});
  const value = make("span", { class: "value" });
  const node = make("div", { class: "meter" },
    make("span", { class: "name", title: name }, name),
    make("span", { class: "track" }, band, mark), value);
  const show = (place) => {
    const [from, mean, to] = [row.low, row.mean, row.high].map((each) => each[place][i]);
    mark.style.left = `${at(mean)}%`;
    band.hidden = from === null;
    band.style.left = `${at(from ?? mean)}%`;
    band.style.width = `${at(to ?? mean) - at(from ?? mean)}%`;
    value.textContent = written(mean);
  };
  return { node, show };
}

function chip(table, i, score, standard) {
  const signed = `${standard < 0 ? "" : "+"}${written(standard, 1)} σ`;
  return make("li", {}, `${table.names[i]} ${String(score).replace("-", "−")} (${signed})`);
}
