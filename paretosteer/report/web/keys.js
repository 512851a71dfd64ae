// The legend: each row's marker on its line, as `page/keys.py` describes it. It shows and hides rows.

function key({ key: { colour, path, dashes } }) {
  const line = draw("path", {
    d: "M-17 0H17", stroke: colour, "stroke-width": 2, "stroke-dasharray": dashes,
  });
  return draw("svg", { class: "key", viewBox: "-17 -7 34 14", "aria-hidden": "true" },
    line, draw("path", { d: path, fill: colour }));
}

function legend(view) {
  const { rows } = view.table;
  const buttons = rows.map((row, place) => {
    const button = make("button", { type: "button", class: "toggle", title: "show or hide" },
      key(row), ...breakable(` ${title(row)}`));
    button.addEventListener("click", () => view.change(() => {
      if (!view.hidden.delete(place)) view.hidden.add(place);
    }));
    return button;
  });
  const all = (word, hidden) => {
    const button = make("button", { type: "button", class: "toggle all" }, word);
    button.addEventListener("click", () => view.change(() => { view.hidden = new Set(hidden); }));
    return button;
  };
  view.parts.push({
    update: () => buttons.forEach((button, place) =>
      button.setAttribute("aria-pressed", String(!view.hidden.has(place)))),
  });
  const group = { class: "toggles", role: "group", "aria-label": "Methods shown" };
  return make("div", group, ...buttons, all("show all", []), all("hide all", rows.keys()));
}
