// The browser of samples: every text that the page has, by method, preference, prompt and words.

const AT_ONCE = 12;
const LONGEST = 600;  // as in `sample_texts.py`

function samples(node, view) {
  if (!view.table.texts) return;
  const body = make("div", {}, make("p", { class: "soft" }, "…"));
  node.append(make("h3", {}, "Texts"), body);
  // Thousands of texts wait until they are about to be seen.
  const observer = new IntersectionObserver(([{ isIntersecting }]) => {
    if (!isIntersecting) return;
    observer.disconnect();
    body.replaceChildren(...textBrowser(view.table));
  }, { rootMargin: "400px" });
  observer.observe(body);
}

function textBrowser(table) {
  const records = recordsOf(table);
  const places = [...new Set(records.map((each) => each.point))].sort((a, b) => a - b);
  const prompts = turnsOf(table.texts);
  const state = { row: "", point: "", prompt: "", words: "", order: "recorded", shown: AT_ONCE };
  const change = (name) => (value) => {
    state[name] = value;
    state.shown = AT_ONCE;
    show();
  };
  const filters = make("div", { class: "pick" },
    picker("Method", [["", "All methods"],
      ...table.rows.map((row, place) => [String(place), title(row)])], change("row")),
    picker("Preference", [["", "All preferences"],
      ...places.map((place) => [String(place), pointName(table, place)])], change("point")),
    picker("Prompt of the texts", [["", "All prompts"],
      ...prompts.map((text, place) => [String(place), `${place + 1}. ${cut(text, 60)}`])],
    change("prompt")),
    picker("Order", [["recorded", "In recorded order"], ...table.names.flatMap((name, i) =>
      [[`down ${i}`, `Highest ${cut(name, 30)} first`], [`up ${i}`, `Lowest ${cut(name, 30)} first`]])],
    change("order")),
    search(change("words")));
  const cutShort = records.some(({ text }) => text.length > LONGEST)
    ? ` Texts are cut after ${LONGEST} characters.` : "";
  const count = make("p", { class: "soft small", role: "status" });
  const list = make("div", { class: "samples" });
  const more = make("button", { type: "button" }, "Show more");
  more.addEventListener("click", () => {
    state.shown += AT_ONCE;
    show();
  });
  const show = () => {
    const matching = ordered(records.filter((each) => matches(each, state, prompts)), state.order);
    const some = matching.slice(0, state.shown);
    count.textContent = `${some.length.toLocaleString("en")} of ` +
      `${matching.length.toLocaleString("en")} matching texts, ` +
      `${records.length.toLocaleString("en")} in all. ${table.texts.omission}`;
    list.replaceChildren(...some.map((each) => sampleCard(table, each, prompts, state.words)));
    more.hidden = some.length === matching.length;
  };
  show();
  return [make("p", { class: "soft" },
    "As sampled, none selected. Scores are raw, and in brackets in standard deviations of the " +
    "start model's scores, by which texts are sorted." + cutShort),
  filters, count, list, more];
}

function recordsOf({ texts }) {
  const records = [];
  texts.rows.forEach((own, row) => own.forEach((line, prompt) => line.forEach((entry, at) => {
    if (!entry) return;
    const [text, ...scores] = entry;
    records.push({ row, turn: 0, number: 0, point: texts.places[at], prompt, text, scores });
  })));
  for (const [row, turn, number, point, prompt, text, ...scores] of texts.further) {
    records.push({ row, turn, number, point, prompt, text, scores });
  }
  for (const each of records) {
    const { mean, std } = texts.normalisers[each.row][each.turn];
    each.standard = each.scores.map((score, i) => (score - mean[i]) / std[i]);
  }
  return records;
}

// What distinguishes each prompt: in chats, the user's last turn.
function turnsOf({ prompts, further_prompts: further, turns }) {
  return turns.length ? turns : [...prompts, ...further];
}

function pointName({ preferences, texts }, place) {
  return place < preferences.length
    ? vector(preferences[place]) : texts.dialled[place - preferences.length];
}

function picker(label, options, onChange) {
  const select = make("select", { "aria-label": label });
  options.forEach(([value, text]) => select.append(make("option", { value }, text)));
  select.addEventListener("change", () => onChange(select.value));
  return select;
}

function search(onChange) {
  const input = make("input", {
    type: "search", placeholder: "Words in prompt or text", "aria-label": "Words in prompt or text",
  });
  let waiting;
  input.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => onChange(input.value), 150);
  });
  return input;
}

function matches(each, { row, point, prompt, words }, prompts) {
  if (row !== "" && each.row !== Number(row)) return false;
  if (point !== "" && each.point !== Number(point)) return false;
  if (prompt !== "" && each.prompt !== Number(prompt)) return false;
  const sought = words.toLowerCase().trim();
  return !sought || `${prompts[each.prompt]}\n${each.text}`.toLowerCase().includes(sought);
}

// Texts without a score come last.
function ordered(records, order) {
  const [way, i] = order.split(" ");
  if (way === "recorded") return records;
  const sign = way === "up" ? 1 : -1;
  const value = (each) => each.standard[Number(i)] ?? -sign * Infinity;
  return [...records].sort((a, b) => sign * (value(a) - value(b)) || 0);
}

function sampleCard(table, each, prompts, words) {
  const row = table.rows[each.row];
  const from = table.texts.replicates[each.row][each.turn];
  const sample = each.number ? `, sample ${each.number + 1}` : "";
  return make("article", { class: "sample" },
    make("p", { class: "small" }, key(row), make("b", {}, ...breakable(` ${title(row)}`)),
      make("span", { class: "soft" }, ` at ${pointName(table, each.point)}, ${from}${sample}`)),
    make("p", {}, make("span", { class: "soft" }, ...marked(prompts[each.prompt], words)), " ",
      ...marked(each.text, words)),
    make("ul", { class: "scores" }, ...each.scores.map((score, i) =>
      chip(table, i, score, each.standard[i]))));
}

// A text with the words sought set off.
function marked(text, words) {
  const sought = words.toLowerCase().trim();
  const lower = text.toLowerCase();
  if (!sought || lower.length !== text.length) return [text];
  const parts = [];
  let from = 0;
  for (let at = lower.indexOf(sought); at >= 0; at = lower.indexOf(sought, from)) {
    parts.push(text.slice(from, at), make("mark", {}, text.slice(at, at + sought.length)));
    from = at + sought.length;
  }
  return [...parts, text.slice(from)];
}
