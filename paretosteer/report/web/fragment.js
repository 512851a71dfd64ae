// The dial's position in the address, so that it can be shared:
// #table-1&weights=0.3,0.7&prompt=2&hidden=0,4

function readFragment() {
  const [anchor, ...rest] = location.hash.slice(1).split("&");
  return { anchor: decoded(anchor), settings: new Map(rest.map((each) => each.split("="))) };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    return text;
  }
}

function fragmentOf(view) {
  const weights = view.mu.map((weight) => Number(weight.toFixed(3))).join(",");
  const prompt = view.prompt ? `&prompt=${view.prompt + 1}` : "";
  const hidden = view.hidden.size ? `&hidden=${[...view.hidden].sort((a, b) => a - b)}` : "";
  return `#table-${view.table.number}&weights=${weights}${prompt}${hidden}`;
}

// Settings that do not fit the table are ignored.
function applyFragment(view) {
  const { anchor, settings } = readFragment();
  if (anchor !== `table-${view.table.number}`) return false;
  const numbers = (name) => (settings.get(name) ?? "").split(",").filter(Boolean).map(Number);
  const mu = numbers("weights");
  const sum = mu.reduce((total, weight) => total + weight, 0);
  if (mu.length !== view.table.names.length || !mu.every((weight) => weight >= 0)) return false;
  if (!(sum > 0 && Number.isFinite(sum))) return false;
  const prompt = Number(settings.get("prompt") ?? 1) - 1;
  if (view.table.texts?.prompts[prompt] !== undefined) view.prompt = prompt;
  view.hidden = new Set(numbers("hidden").filter((place) => place in view.table.rows));
  view.turn(normalised(mu));
  return true;
}

function shareLink(view) {
  const link = make("a", { class: "small" }, "Link to this position");
  let waiting;
  const update = () => {
    link.href = fragmentOf(view);
    if (!view.moved || view.node.hidden) return;
    clearTimeout(waiting);  // browsers allow some changes a second
    waiting = setTimeout(() => history.replaceState(null, "", link.href), 300);
  };
  view.parts.push({ update });
  return link;
}
