// Everything shown came from records, and records may hold anything: text reaches the page as
// text nodes, and plots through `quoted`; nothing here parses markup.

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// An element of SVG.
function draw(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function choice(label, options, chosen, onChange) {
  const select = make("select", { "aria-label": label });
  options.forEach((option, place) => select.append(make("option", { value: place }, option)));
  select.value = chosen;
  select.addEventListener("change", () => onChange(Number(select.value)));
  return select;
}

// Plotly interprets a few tags and entities in its texts; this escapes them.
function quoted(text) {
  const entities = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
  return cut(text, 80).replace(/[&<>]/g, (each) => entities[each]);
}

function cut(text, longest) {
  const line = text.replace(/\s+/g, " ");
  return line.length > longest ? `${line.slice(0, longest - 1)}…` : line;
}

function written(value, digits = 2) {
  if (value === null || value === undefined) return "–";
  const rounded = Number(value.toFixed(digits));
  return Math.abs(rounded).toFixed(digits).replace(/^/, rounded < 0 ? "−" : "");
}

function vector(values, digits = 2) {
  return `(${values.map((value) => written(value, digits)).join(", ")})`;
}

function percent(share) {
  return `${Math.round(100 * share)}\u00a0%`;
}

// Text nodes that may break after "=" and commas, rather than within a word.
function breakable(text) {
  return text.split(/(?<=[=,])(?=\S)/).flatMap((part, n) => (n ? [make("wbr"), part] : [part]));
}

function title(row) {
  return row.label + row.mark;
}
