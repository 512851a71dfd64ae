// A view is one table with the reader's settings; its parts are redrawn when they change.

const PARTS = { dial, samples, ternary, responses, spider, costs, budgets, drift, learning };

function ternary(node, view) {
  if (view.table.names.length !== 3) return;
  const chart = chartBox("Best method by preference", "tall");
  node.append(make("h4", {}, "Who is best where"),
    make("p", { class: "soft" },
      "Every measured preference, in the colour and mark of the method that offers the " +
      "most utility there. Hover for all methods; click to turn the dial."), chart, legend(view));
  view.parts.push({ node: chart, turns: true, draw: () => drawTernary(chart, view) });
}

function viewOf(table, node) {
  const view = {
    table, node, pair: [0, 1], prompt: 0, moved: false, whole: false,
    hidden: new Set(), parts: [], stale: new Set(), near: new Set(),
  };
  view.place = nearest(table.preferences, table.names.map(() => 1 / table.names.length));
  view.mu = table.preferences[view.place];
  const update = (parts) => {
    view.parts.forEach((part) => part.update?.());
    refresh(view, parts);
  };
  view.change = (how) => {
    how();
    view.moved = true;
    update(view.parts);
  };
  view.turn = (mu) => {
    view.mu = mu;
    view.place = nearest(table.preferences, mu);
    view.moved = true;
    update(view.parts.filter((part) => part.turns));
  };
  return view;
}

// At most once a frame, however fast the dial is turned, and only parts near the viewport.
function refresh(view, parts) {
  parts.filter((part) => part.draw).forEach((part) => view.stale.add(part));
  if (view.waiting || !("Plotly" in window)) return;
  view.waiting = true;
  requestAnimationFrame(() => {
    view.waiting = false;
    for (const part of view.stale) {
      if (!view.near.has(part.node)) continue;
      view.stale.delete(part);
      redraw(view, part);
    }
  });
}

function drawWhenNear(view) {
  const observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) view.near.add(target);
      else view.near.delete(target);
    }
    refresh(view, []);
  }, { rootMargin: "400px" });
  view.parts.filter((part) => part.draw).forEach((part) => observer.observe(part.node));
}

function redraw(view, part) {
  part.draw();
  if (part.clickable) return;
  part.clickable = true;
  part.node.on("plotly_click", ({ points }) => {
    const place = points[0]?.customdata;
    if (Number.isInteger(place)) view.turn(view.table.preferences[place]);
  });
}

function fill(section, table) {
  const view = viewOf(table, section);
  for (const node of section.querySelectorAll("[data-part]")) {
    PARTS[node.dataset.part](node, view);
    node.hidden = false;
  }
  if (!applyFragment(view)) view.turn(view.mu);
  view.parts.forEach((part) => { if (part.draw) view.stale.add(part); });
  view.moved = false;
  drawWhenNear(view);
  return view;
}

// Null where the browser cannot unpack them.
async function textsOf({ texts }) {
  if (!texts?.packed) return texts;
  try {
    return JSON.parse(await unpacked(texts.packed));
  } catch (error) {
    return null;
  }
}

function still(open) {
  document.querySelectorAll("details.still").forEach((each) => { each.open = open; });
}

async function start() {
  document.documentElement.classList.add("scripted");
  document.querySelectorAll("table.sortable").forEach(sortable);
  tips();
  scrollers();
  const tables = JSON.parse(document.getElementById("tables").textContent);
  const sections = [...document.querySelectorAll("section[data-table]")];
  const views = new Map();
  for (const table of tables) {
    table.texts = await textsOf(table);
    const section = sections.find((each) => each.dataset.table === String(table.number));
    views.set(section, fill(section, table));
  }
  const refreshAll = () => views.forEach((view) => refresh(view, view.parts));
  sections.forEach(contents);
  if (sections.length) switcher(sections);
  if (!tables.length) return;
  if (!(await unpackPlotly())) {
    document.documentElement.classList.add("plotless");
    return;
  }
  still(false);
  refreshAll();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", refreshAll);
}

start();
