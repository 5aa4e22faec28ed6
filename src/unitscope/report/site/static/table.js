// The table of all units: filters and order live in the address, and only the rows in sight are drawn.
"use strict";
(() => {
  const { make, page } = window.unitscope, data = window.unitscopeUnits;
  const table = document.getElementById("units"), body = table.tBodies[0], form = document.getElementById("filters");
  const found = document.getElementById("found"), column = data.columns, n = column.unit.length;
  const layerOf = new Uint16Array(n), texts = new Array(n);
  const kindName = (row) => column.kind[row] === null ? (column.status[row] ? data.status[column.status[row]] : "unreported") : data.kinds[column.kind[row]];
  for (let layer = 0, row = 0; layer < data.layers.length; layer++) {
    const name = data.layers[layer][0].toLowerCase();
    for (const stop = row + data.sizes[layer]; row < stop; row++) {
      layerOf[row] = layer;
      const concept = column.concept[row], context = column.context[row];
      texts[row] = `${name}:${column.unit[row]} ${concept === null ? "" : data.concepts[concept][0].toLowerCase()} ${context === null ? "" : data.concepts[context][0].toLowerCase()}`;
    }
  }
  document.getElementById("concept-names").append(...data.concepts.filter(([, , k]) => k).map(([name]) => make("option", { value: name })));
  table.setAttribute("aria-rowcount", n + 1);

  // ---- state, in the address
  const NAMES = ["q", "layer", "kind", "concept", "min"], state = {};
  const read = () => {
    const asked = new URLSearchParams(location.hash.slice(1));
    for (const name of NAMES) { state[name] = asked.get(name) || ""; if (form.elements[name].value !== state[name]) form.elements[name].value = state[name]; }
    state.sort = asked.get("sort") || "";
  };
  const write = () => {
    const asked = new URLSearchParams();
    for (const name of [...NAMES, "sort"]) if (state[name]) asked.set(name, state[name]);
    history.replaceState(null, "", `#${asked}`);
  };

  // ---- filter and order
  let rows = [];
  const alike = (name, wanted) => name === wanted || name.toLowerCase().includes(wanted.toLowerCase());
  const filter = () => {
    const words = state.q.toLowerCase().split(/\s+/).filter(Boolean), least = state.min === "" ? null : Number(state.min) * 1000;
    const layer = data.layers.findIndex(([name]) => name === state.layer), exact = data.concepts.some(([name]) => name === state.concept);
    const concepts = state.concept ? data.concepts.map(([name]) => exact ? name === state.concept : alike(name, state.concept)) : null;
    rows = [];
    for (let row = 0; row < n; row++) {
      if (state.layer && layerOf[row] !== layer) continue;
      if (state.kind === "none" ? column.kind[row] !== null : state.kind === "dead" ? !column.status[row] : state.kind && kindName(row) !== state.kind) continue;
      if (concepts && !(column.concept[row] !== null && concepts[column.concept[row]]) && !(column.context[row] !== null && concepts[column.context[row]])) continue;
      if (least !== null && !(column.score[row] >= least)) continue;
      if (!words.every((word) => texts[row].includes(word))) continue;
      rows.push(row);
    }
    order();
  };
  const order = () => {
    const falling = state.sort.startsWith("-"), key = state.sort.replace("-", "");
    const worth = key === "concept" ? (row) => column.concept[row] === null ? null : data.concepts[column.concept[row]][0] : key === "kind" ? kindName : key && key !== "unit" ? (row) => column[key][row] : null;
    if (key === "unit" || !worth || (key !== "kind" && key !== "concept" && !column[key])) rows.sort((a, b) => falling && key === "unit" ? b - a : a - b);
    else {
      const keys = new Map(rows.map((row) => [row, worth(row)]));
      rows.sort((a, b) => { const x = keys.get(a), y = keys.get(b); return x === y ? a - b : x === null ? 1 : y === null ? -1 : (x < y ? -1 : 1) * (falling ? -1 : 1); });
    }
    for (const head of table.tHead.rows[0].cells) {
      if (head.dataset.key === key) head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    chosen = -1;
    found.textContent = `${rows.length.toLocaleString("en")} of ${n.toLocaleString("en")} units`;
    drawn = "";
    draw();
  };

  // ---- rows
  const effect = (value) => value === null ? "–" : value === 1000 ? "1.00" : (value / 1000).toFixed(value >= 995 ? 3 : 2).replace(/^(-?)0/, "$1");
  const SVG = "http://www.w3.org/2000/svg";
  const svg = (tag, attributes) => { const made = document.createElementNS(SVG, tag); for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value); return made; };
  const x = (value) => 4 + 92 * (Math.min(Math.max(value / 1000, 0.3), 1) - 0.3) / 0.7;
  const strip = (row) => {
    const made = svg("svg", { class: "strip", viewBox: "0 0 100 18", "aria-hidden": "true" });
    made.append(svg("line", { class: "axis", x1: 4, x2: 96, y1: 9, y2: 9 }), svg("line", { class: "chance", x1: x(500), x2: x(500), y1: 2, y2: 16 }));
    if (column.low[row] !== null) made.append(svg("rect", { class: "interval", x: x(column.low[row]), width: Math.max(x(column.high[row]) - x(column.low[row]), 1.5), y: 3, height: 12 }));
    if (column.place[row] !== null) { const at = x(column.place[row]); made.append(svg("path", { class: "hollow", d: `M${at} 4l5 5l-5 5l-5 -5z` })); }
    made.append(svg("circle", { class: "point", cx: x(column.score[row]), cy: 9, r: 3 }));
    return made;
  };
  const cell = (kind, ...children) => make("td", { class: `c-${kind}` }, ...children);
  const line = (at) => {
    const row = rows[at], layer = layerOf[row], unit = column.unit[row], reported = column.concept[row] !== null;
    const name = make("bdi", {}, data.layers[layer][0], make("b", {}, `:${unit}`)), kind = kindName(row);
    const made = make("tr", { "aria-rowindex": at + 2, class: at === chosen ? "chosen" : null },
      cell("unit", reported ? make("a", { href: page.unit(data, layer, unit) }, name) : name),
      cell("concept", ...(reported ? [make("span", { class: "sign", title: column.sign[row] > 0 ? "fires on" : "falls on" }, column.sign[row] > 0 ? "↑ " : "↓ "), make("a", { href: page.concept(data, column.concept[row]) }, make("bdi", {}, data.concepts[column.concept[row]][0]))] : ["–"])),
      cell("kind", make("span", { class: `kind ${kind}` }, kind)),
      cell("score", ...(column.score[row] === null ? ["–"] : [strip(row), make("b", {}, effect(column.score[row])), make("span", { class: "soft" }, column.low[row] === null ? " –" : ` [${effect(column.low[row])}, ${effect(column.high[row])}]`)])),
      ...["form", "place", "bar"].map((each) => cell(each, effect(column[each][row]))),
      cell("q", column.q[row] === null ? "–" : column.q[row] < 10 ? "<.001" : (column.q[row] / 10000).toFixed(3).replace(/^0/, "")),
      cell("n", column.n[row] === null ? "–" : column.n[row].toLocaleString("en")),
      cell("share", column.share[row] === null ? "–" : `${Math.round(column.share[row] / 10)} %`));
    return made;
  };

  // ---- the window on the rows
  let drawn = "", chosen = -1;
  const height = () => parseFloat(getComputedStyle(table).getPropertyValue("--row")) || 38;
  const spacer = (pixels) => { const made = make("tr", { class: "spacer", "aria-hidden": "true" }, make("td", { colspan: 10 })); made.firstChild.style.height = `${pixels}px`; return made; };
  const draw = () => {
    const each = height(), top = table.getBoundingClientRect().top + table.tHead.offsetHeight;
    const first = Math.max(0, Math.floor(-top / each) - 10), last = Math.min(rows.length, Math.ceil((innerHeight - top) / each) + 10);
    const now = `${first} ${last} ${rows.length} ${chosen} ${each}`;
    if (now === drawn) return;
    drawn = now;
    const lines = [];
    for (let at = first; at < last; at++) lines.push(line(at));
    body.replaceChildren(spacer(first * each), ...lines, spacer(Math.max(0, rows.length - last) * each));
  };
  addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
  addEventListener("resize", () => { drawn = ""; draw(); });

  // ---- what the reader does
  const asked = () => { for (const name of NAMES) state[name] = form.elements[name].value.trim(); write(); filter(); };
  form.addEventListener("input", asked);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => { state.sort = ""; asked(); }));
  table.tHead.addEventListener("click", (event) => {
    const head = event.target.closest("th");
    if (!head) return;
    const key = head.dataset.key, rising = ["unit", "concept", "kind", "q"].includes(key);
    state.sort = state.sort === key ? `-${key}` : state.sort === `-${key}` ? key : rising ? key : `-${key}`;
    write();
    order();
  });
  addEventListener("hashchange", () => { if (!location.hash || location.hash.includes("=")) { read(); filter(); } });
  window.unitscopeRows = (way) => {
    chosen = Math.max(0, Math.min(rows.length - 1, chosen + way));
    const each = height(), top = table.getBoundingClientRect().top + scrollY + table.tHead.offsetHeight + chosen * each;
    if (top < scrollY + 120) scrollTo(0, top - 160);
    else if (top + each > scrollY + innerHeight) scrollTo(0, top + each - innerHeight + 60);
    draw();
    const link = body.querySelector("tr.chosen a");
    if (link) link.focus({ preventScroll: true });
  };
  read();
  filter();
})();
