// Headings that sort, and one table of the report at a time.

function sortable(table) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = make("button", { type: "button", class: "sort" }, ...heading.childNodes);
    button.addEventListener("click", () => sortBy(table, headings, column));
    heading.replaceChildren(button);
  });
}

function sortBy(table, headings, column) {
  const heading = headings[column];
  const first = heading.dataset.better === "1" ? "descending" : "ascending";
  const turned = { ascending: "descending", descending: "ascending" };
  const order = turned[heading.getAttribute("aria-sort")] ?? first;
  headings.forEach((each) => each.removeAttribute("aria-sort"));
  heading.setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1;
  const rows = [...table.tBodies[0].rows];
  rows.sort((a, b) => compared(a.cells[column], b.cells[column], sign));
  table.tBodies[0].append(...rows);
}

// Rows without a value come last in either order.
function compared(a, b, sign) {
  const [first, second] = [a, b].map((cell) => cell.dataset.value ?? cell.textContent);
  if (first === "" || second === "") return (first === "") - (second === "");
  const difference = Number(first) - Number(second);
  return sign * (Number.isNaN(difference) ? first.localeCompare(second) : difference);
}

function switcher(sections) {
  const buttons = sections.map((section) => {
    const button = make("button", { type: "button", class: "toggle" },
      section.querySelector("h2").textContent);
    button.addEventListener("click", () => show(section));
    return button;
  });
  const show = (chosen) => {
    sections.forEach((section, place) => {
      section.hidden = section !== chosen;
      buttons[place].setAttribute("aria-pressed", String(section === chosen));
    });
  };
  const follow = () => {
    const target = document.getElementById(readFragment().anchor);
    if (target?.localName === "details") target.open = true;
    const section = sections.find((each) => each.contains(target));
    if (section) show(section);
    if (target?.localName === "details" || section) target.scrollIntoView();
  };
  window.addEventListener("hashchange", follow);
  if (sections.length > 1) {
    const bar = make("nav", { class: "toggles", "aria-label": "Tables" }, ...buttons);
    sections[0].before(bar);
  }
  show(sections[0]);
  follow();
}
