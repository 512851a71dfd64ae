// Control for the preference: a slider between two objectives, a triangle between three, else sliders.

function preferenceControl(table, mu, onTurn) {
  if (table.names.length === 2) return slider(table.names, mu, onTurn);
  if (table.names.length === 3) return triangle(table, mu, onTurn);
  return sliders(table.names, mu, onTurn);
}

function range(label, onInput) {
  const input = make("input", { type: "range", min: 0, max: 100, step: 1, "aria-label": label });
  input.addEventListener("input", () => onInput(Number(input.value) / 100));
  return input;
}

function slider(names, mu, onTurn) {
  const label = `Preference between ${names[1]} and ${names[0]}`;
  const input = range(label, (weight) => onTurn([weight, 1 - weight]));
  const node = make("div", { class: "between" },
    make("span", {}, `← ${names[1]}`), make("span", {}, `${names[0]} →`), input);
  const set = (weights) => {
    input.value = Math.round(100 * weights[0]);
    input.setAttribute("aria-valuetext", inWords(names, weights));
  };
  set(mu);
  return { node, set };
}

function sliders(names, mu, onTurn) {
  let now = mu;
  const inputs = names.map((name, i) =>
    range(`Weight on ${name}`, (weight) => onTurn(withWeight(now, i, weight))));
  const shares = names.map(() => make("output", {}));
  const node = make("div", { class: "sliders" });
  names.forEach((name, i) => node.append(make("span", {}, name), inputs[i], shares[i]));
  const set = (weights) => {
    now = weights;
    weights.forEach((weight, i) => {
      inputs[i].value = Math.round(100 * weight);
      shares[i].textContent = percent(weight);
    });
  };
  set(mu);
  return { node, set };
}

// In units of the drawing: the first objective on top, the others below, left and right.
const CORNERS = [[150, 30], [20, 255], [280, 255]];
const STEP = 0.05;

function placeOf(mu) {
  return [0, 1].map((axis) => mu.reduce((sum, w, i) => sum + w * CORNERS[i][axis], 0));
}

function weightsAt(x, y) {
  const [[ax, ay], [bx, by], [cx, cy]] = CORNERS;
  const area = (by - cy) * (ax - cx) + (cx - bx) * (ay - cy);
  const first = ((by - cy) * (x - cx) + (cx - bx) * (y - cy)) / area;
  const second = ((cy - ay) * (x - cx) + (ax - cx) * (y - cy)) / area;
  return normalised([first, second, 1 - first - second]);
}

function triangle(table, mu, onTurn) {
  let now = mu;
  const handle = draw("circle", {
    r: 11, class: "handle", tabindex: 0, role: "slider",
    "aria-label": `Preference between ${table.names.join(", ")}`,
    "aria-valuemin": 0, "aria-valuemax": 100,
  });
  const svg = draw("svg", { viewBox: "0 0 300 285", class: "triangle" },
    draw("polygon", { points: CORNERS.map((corner) => corner.join(",")).join(" ") }),
    ...table.preferences.map((each) => {
      const [cx, cy] = placeOf(each);
      return draw("circle", { cx, cy, r: 2.5, class: "measured" });
    }),
    corner(table.names[0], 150, 16, "middle"),
    corner(table.names[1], 4, 278, "start"),
    corner(table.names[2], 296, 278, "end"),
    handle);
  const set = (weights) => {
    now = weights;
    const [cx, cy] = placeOf(weights);
    handle.setAttribute("cx", cx);
    handle.setAttribute("cy", cy);
    handle.setAttribute("aria-valuenow", Math.round(100 * weights[0]));
    handle.setAttribute("aria-valuetext", inWords(table.names, weights));
  };
  set(mu);
  followPointer(svg, handle, onTurn);
  handle.addEventListener("keydown", (event) => {
    const turned = turnedByKey(now, event.key);
    if (!turned) return;
    event.preventDefault();
    onTurn(turned);
  });
  return { node: svg, set };
}

function corner(name, x, y, anchor) {
  return draw("text", { x, y, "text-anchor": anchor }, cut(name, 20));
}

function followPointer(svg, handle, onTurn) {
  const follow = (event) => {
    const at = new DOMPoint(event.clientX, event.clientY)
      .matrixTransform(svg.getScreenCTM().inverse());
    onTurn(weightsAt(at.x, at.y));
  };
  svg.addEventListener("pointerdown", (event) => {
    svg.setPointerCapture(event.pointerId);
    handle.focus({ preventScroll: true });
    follow(event);
    event.preventDefault();
  });
  svg.addEventListener("pointermove", (event) => {
    if (svg.hasPointerCapture(event.pointerId)) follow(event);
  });
}

function turnedByKey(mu, key) {
  const across = (by) => normalised([mu[0], mu[1] - by, mu[2] + by]);
  switch (key) {
    case "ArrowUp": return withWeight(mu, 0, mu[0] + STEP);
    case "ArrowDown": return withWeight(mu, 0, mu[0] - STEP);
    case "ArrowRight": return across(Math.min(STEP, mu[1]));
    case "ArrowLeft": return across(-Math.min(STEP, mu[2]));
    case "Home": return mu.map(() => 1 / 3);
    default: return null;
  }
}
