// Plotly, unpacked from the page itself, and helpers of all plots.

// Text that was compressed with gzip and written in base64.
async function unpacked(packed) {
  const bytes = Uint8Array.from(atob(packed), (each) => each.charCodeAt(0));
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(plain).text();
}

async function unpackPlotly() {
  const packed = document.getElementById("plotly");
  if (!packed || typeof DecompressionStream === "undefined") return false;
  try {
    const script = document.createElement("script");
    script.textContent = await unpacked(packed.textContent);
    document.head.append(script);
    return "Plotly" in window;
  } catch (error) {
    return false;
  }
}

const SYMBOLS = {
  o: "circle", s: "square", "^": "triangle-up", D: "diamond", v: "triangle-down", P: "cross",
  X: "x", p: "pentagon", h: "hexagon", "<": "triangle-left", ">": "triangle-right",
  d: "diamond-tall", "*": "star", H: "hexagon2", 8: "octagon",
};
const DASHES = { "-": "solid", "--": "dash", ":": "dot", "-.": "dashdot" };

const finePointer = matchMedia("(pointer: fine)");

function theme() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  return {
    ink: colour("--ink"), soft: colour("--soft"), line: colour("--line"),
    ground: colour("--ground"),
  };
}

function faded(colour, alpha) {
  const parts = [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16));
  return `rgba(${parts.join(",")},${alpha})`;
}

function axis(name, further = {}) {
  const { line, soft } = theme();
  return {
    title: { text: quoted(name), font: { size: 13 }, standoff: 8 },
    gridcolor: line, zerolinecolor: soft, linecolor: soft, tickcolor: soft, automargin: true,
    fixedrange: !finePointer.matches, ...further,
  };
}

function layout(further = {}) {
  const { ink, ground } = theme();
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: ink, size: 12, family: "system-ui, sans-serif" },
    margin: { l: 54, r: 14, t: 14, b: 48 }, showlegend: false, hovermode: "closest",
    hoverlabel: { bgcolor: ground, font: { color: ink, size: 12 }, align: "left", namelength: 0 },
    dragmode: finePointer.matches ? "zoom" : false, uirevision: "kept", ...further,
  };
}

function chartBox(label, kind = "") {
  return make("div", { class: `plot ${kind}`, role: "img", "aria-label": label });
}

function plot(node, traces, itsLayout) {
  const settings = { displayModeBar: false, responsive: true, doubleClick: "reset" };
  return window.Plotly.react(node, traces, itsLayout, settings);
}

function shownRows(view) {
  return view.table.rows.filter((row, place) => !view.hidden.has(place));
}

function whisker(low, value, high, colour) {
  const known = low !== null && high !== null;
  return {
    type: "data", symmetric: false, array: [known ? high - value : 0],
    arrayminus: [known ? value - low : 0], visible: known, color: colour, thickness: 1.5, width: 0,
  };
}

// Range around values, the same whichever rows are shown.
function spread(values) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const margin = 0.08 * (high - low) || 1;
  return [low - margin, high + margin];
}

// Arrows at the edge of a plot towards points [x, y] beyond its ranges; `about` are their texts.
function arrowsBeyond(row, points, about, [left, right], [low, high]) {
  const away = (value, from, to) => (value < from ? -1 : value > to ? 1 : 0);
  const within = (value, from, to) => Math.min(Math.max(value, from), to);
  const out = points.map(([x, y], n) => ({ x, y, n })).filter(({ x, y }) =>
    away(x, left, right) || away(y, low, high));
  const angle = ({ x, y }) => Math.atan2(away(x, left, right), away(y, low, high)) * 180 / Math.PI;
  return {
    x: out.map(({ x }) => within(x, left, right)), y: out.map(({ y }) => within(y, low, high)),
    mode: "markers", cliponaxis: false, hoverinfo: "text", hovertext: out.map(({ n }) => about[n]),
    hoverlabel: { bordercolor: row.colour },
    marker: { symbol: "arrow", angle: out.map(angle), color: row.colour, size: 14 },
  };
}

// Switches the plots of a view between axes that end before points far out and axes that show all.
function wholeAxes(view) {
  if (!view.table.beyond) return [];
  const button = make("button", { type: "button", "aria-pressed": false }, "Show all points");
  button.addEventListener("click", () => view.change(() => { view.whole = !view.whole; }));
  view.parts.push({ update: () => button.setAttribute("aria-pressed", view.whole) });
  return [make("p", { class: "soft small" }, `${view.table.beyond} `, button)];
}
