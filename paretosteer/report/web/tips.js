// Explanations of headings, shown when hovered or focused: titles of HTML need a mouse.

function tips() {
  const tip = make("div", { class: "tip", role: "tooltip", id: "tip", hidden: "" });
  document.body.append(tip);
  let shown = null;
  const place = () => {
    const box = shown.getBoundingClientRect();
    const left = Math.min(box.left, document.documentElement.clientWidth - tip.offsetWidth - 8);
    const above = box.top - tip.offsetHeight - 6;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${above > 0 ? above : box.bottom + 6}px`;
  };
  const show = (node, text) => {
    shown = node;
    tip.textContent = text;
    tip.hidden = false;
    place();
  };
  const hide = () => { tip.hidden = true; };
  for (const heading of document.querySelectorAll("th[title]")) {
    const text = heading.title;
    const node = heading.querySelector("button") ?? heading;
    heading.removeAttribute("title");
    node.setAttribute("aria-description", text);
    for (const event of ["mouseenter", "focus"]) {
      node.addEventListener(event, () => show(node, text));
    }
    for (const event of ["mouseleave", "blur"]) node.addEventListener(event, hide);
  }
  window.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  const follow = () => { if (!tip.hidden) place(); };
  window.addEventListener("scroll", follow, { capture: true, passive: true });
}

// Tables and figures wider than the page say that they scroll, and can be scrolled by keys.
function scrollers() {
  const watch = new ResizeObserver((entries) =>
    requestAnimationFrame(() => entries.forEach(({ target }) => mark(target))));
  const mark = (box) => {
    const rest = box.scrollWidth - box.clientWidth;
    box.classList.toggle("wide", rest > 1);
    box.classList.toggle("more", rest - box.scrollLeft > 1);
    if (rest > 1) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  };
  for (const box of document.querySelectorAll(".scroll")) {
    const caption = box.querySelector("caption")?.textContent
      ?? (box.querySelector("img") ? "Figure" : "Table");
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", caption);
    box.addEventListener("scroll", () => mark(box), { passive: true });
    watch.observe(box);
  }
}
