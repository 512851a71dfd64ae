// Links to the parts of a table's section, which stay in view.

function contents(section) {
  const number = section.dataset.table;
  const headings = [...section.querySelectorAll("h3")].filter((each) => each.checkVisibility());
  const links = headings.map((heading) => {
    const name = heading.textContent;
    heading.id = `${name.toLowerCase().replaceAll(" ", "-")}-${number}`;
    return make("a", { href: `#${heading.id}` }, name);
  });
  const rest = [["Columns", "#columns"], ["Cells", "#cells"]]
    .map(([name, href]) => make("a", { href }, name));
  const title = section.querySelector("h2").textContent;
  section.querySelector("h2 + p").after(
    make("nav", { class: "contents", "aria-label": `Contents of ${title}` }, ...links, ...rest));
}
