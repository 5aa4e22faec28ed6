// Search, keys, theme, heat maps, tabs and sorting. All text enters the page as text, never as markup.
"use strict";
(() => {
  const html = document.documentElement, root = html.dataset.root || "";
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const typing = (target) => target.closest("input, select, textarea, [contenteditable]");
  const go = (address) => { location.href = address; };

  // ---- data, loaded once when first asked for: a script element, as files may not be fetched from disk
  let loading = null;
  const units = () => loading ||= new Promise((done, fail) => {
    if (window.unitscopeUnits) return done(window.unitscopeUnits);
    const script = make("script", { src: `${root}assets/units.js` });
    script.onload = () => done(window.unitscopeUnits);
    script.onerror = () => fail(new Error("assets/units.js is missing from this folder"));
    document.head.append(script);
  });
  const page = {
    unit: (data, layer, unit) => `${root}units/${data.layers[layer][1]}/${unit}.html`,
    concept: (data, number) => `${root}concepts/${data.concepts[number][1]}.html`,
  };

  // ---- theme
  const dark = () => html.dataset.theme ? html.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const toggle = () => {
    html.dataset.theme = dark() ? "light" : "dark";
    try { localStorage.setItem("unitscope-theme", html.dataset.theme); } catch { /* storage may be barred */ }
    document.dispatchEvent(new Event("unitscope-theme"));
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.dispatchEvent(new Event("unitscope-theme")));

  // ---- search
  const input = make("input", {
    type: "search", id: "search", placeholder: "Search", role: "combobox", "aria-label": "Search units and concepts",
    "aria-expanded": "false", "aria-controls": "hits", "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false",
  });
  const hits = make("ul", { id: "hits", role: "listbox", "aria-label": "Found", hidden: "" });
  const find = (data, words) => {
    const found = [];
    data.concepts.forEach(([name, , n], number) => {
      const text = name.toLowerCase();
      if (words.every((word) => text.includes(word)))
        found.push([text.split(":").pop().startsWith(words[0]) ? 0 : 1, -n, name, `${n} ${n === 1 ? "unit" : "units"}`, page.concept(data, number)]);
    });
    let at = 0;
    data.layers.forEach(([address], layer) => {
      const low = address.toLowerCase();
      for (const stop = at + data.sizes[layer]; at < stop; at++) {
        if (found.length > 4000) return;
        const unit = data.columns.unit[at], text = `${low}:${unit}`, concept = data.columns.concept[at];
        if (concept === null || !words.every((word) => text.includes(word))) continue;
        found.push([words.some((word) => text.endsWith(`:${word.split(":").pop()}`)) ? 1 : 2, at, `${address}:${unit}`, data.concepts[concept][0], page.unit(data, layer, unit)]);
      }
    });
    return found.sort((a, b) => a[0] - b[0] || a[1] - b[1]).slice(0, 12);
  };
  let chosen = -1;
  const choose = (number) => {
    const options = [...hits.children];
    if (!options.length) return;
    chosen = (number + options.length) % options.length;
    options.forEach((option, at) => option.setAttribute("aria-selected", at === chosen));
    options[chosen].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", options[chosen].id);
  };
  const close = () => { hits.hidden = true; chosen = -1; input.setAttribute("aria-expanded", "false"); input.removeAttribute("aria-activedescendant"); };
  const search = async () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return close();
    const data = await units(), found = find(data, words);
    hits.replaceChildren(...found.map(([, , title, note, address], at) => {
      const option = make("li", { role: "option", id: `hit-${at}`, "aria-selected": "false", "data-go": address }, make("bdi", {}, title), make("span", {}, make("bdi", {}, note)));
      option.addEventListener("mousedown", (event) => { event.preventDefault(); go(address); });
      return option;
    }));
    if (!found.length) hits.append(make("li", { role: "option", "aria-selected": "false", "aria-disabled": "true" }, "nothing found"));
    hits.hidden = false;
    chosen = -1;
    input.setAttribute("aria-expanded", "true");
  };
  input.addEventListener("focus", () => units().catch(() => {}));
  input.addEventListener("input", search);
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") { choose(chosen + 1); event.preventDefault(); }
    else if (event.key === "ArrowUp") { choose(chosen - 1); event.preventDefault(); }
    else if (event.key === "Enter") { const hit = hits.children[Math.max(chosen, 0)]; if (hit && hit.dataset.go) go(hit.dataset.go); }
    else if (event.key === "Escape") { input.value = ""; close(); input.blur(); }
  });

  // ---- help
  const KEYS = [
    ["/", "search"], ["j  k", "next and previous unit, concept or row"], ["Enter", "open the chosen row"],
    ["← →", "values of a clip's words, when it has the focus"], ["g o", "overview"], ["g u", "units"], ["g c", "concepts"],
    ["t", "light or dark"], ["?", "this list"], ["Esc", "close"],
  ];
  const further = [...document.querySelectorAll(".top nav a[data-key]")];
  KEYS.splice(KEYS.findIndex(([key]) => key === "t"), 0, ...further.map((link) => [`g ${link.dataset.key}`, link.textContent.toLowerCase()]));
  const help = make("dialog", { id: "help", "aria-labelledby": "help-title" },
    make("h2", { id: "help-title" }, "Keys"),
    make("dl", {}, ...KEYS.map(([key, what]) => make("div", {}, make("dt", {}, ...key.split("  ").map((each) => make("kbd", {}, each))), make("dd", {}, what)))),
    make("form", { method: "dialog" }, make("button", {}, "Close")));
  document.body.append(help);
  const helped = () => help.open ? help.close() : help.showModal();

  const button = (label, text, work) => { const made = make("button", { type: "button", "aria-label": label, title: label }, text); made.addEventListener("click", work); return made; };
  document.getElementById("tools").append(make("div", { class: "search" }, input, hits), button("Light or dark (t)", "◐", toggle), button("Keys (?)", "?", helped));

  // ---- keys
  const turn = (which) => { const link = document.querySelector(`a[rel=${which}]`); if (link) go(link.href); };
  let before = "";
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    const key = event.key, both = `${before} ${key}`;
    before = key === "g" ? "g" : "";
    const places = { "g o": "index", "g u": "units", "g c": "concepts" };
    if (places[both]) return go(`${root}${places[both]}.html`);
    const way = further.find((link) => both === `g ${link.dataset.key}`);
    if (way) return go(way.href);
    if (key === "?") { helped(); event.preventDefault(); }
    else if (help.open) return;
    else if (key === "/") { input.focus(); input.select(); event.preventDefault(); }
    else if (key === "t") toggle();
    else if (window.unitscopeRows && (key === "j" || key === "k")) { window.unitscopeRows(key === "j" ? 1 : -1); event.preventDefault(); }
    else if (key === "j") turn("next");
    else if (key === "k") turn("prev");
  });

  // ---- heat maps
  const tip = make("div", { id: "tip", role: "status", hidden: "" });
  document.body.append(tip);
  const STEPS = 9;
  const heat = (words, centre, reach) => {
    const values = words.dataset.v.split(" "), lengths = words.dataset.n.split(" "), text = words.textContent;
    const mark = words.querySelector("mark"), markAt = mark ? text.length - after(words, mark).length - mark.textContent.length : -1;
    const parts = [];
    let at = 0;
    if ("b" in words.dataset) parts.push(make("span", { class: "more" }, "… "));
    lengths.forEach((length, number) => {
      if (length.startsWith("+")) { parts.push(" "); at += 1; }
      const stop = at + Number(length), value = values[number];
      const step = value === "-" ? 0 : Math.max(-STEPS, Math.min(STEPS, Math.round(STEPS * (Number(value) - centre) / reach)));
      const word = make(at === markAt ? "mark" : "span", { class: `t ${step > 0 ? "p" : step < 0 ? "n" : "z"}${Math.abs(step) || ""}` }, text.slice(at, stop));
      word.dataset.value = value === "-" ? "no value here" : value.replace(/^(-?)\./, "$10.");
      parts.push(word);
      at = stop;
    });
    if ("a" in words.dataset) parts.push(make("span", { class: "more" }, " …"));
    words.replaceChildren(...parts);
    words.setAttribute("tabindex", "0");
    words.setAttribute("role", "group");
    words.setAttribute("aria-label", `${text} (left and right read the values)`);
  };
  const after = (words, mark) => { const range = document.createRange(); range.setStartAfter(mark); range.setEndAfter(words.lastChild); return range.toString(); };
  const show = (word) => {
    document.querySelectorAll(".t.at").forEach((each) => each.classList.remove("at"));
    tip.hidden = !word;
    if (!word) return;
    word.classList.add("at");
    tip.replaceChildren(make("bdi", {}, word.textContent), " ", make("b", {}, word.dataset.value));
    const box = word.getBoundingClientRect(), size = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(box.left + box.width / 2 - size.width / 2, innerWidth - size.width - 4))}px`;
    tip.style.top = `${box.top > size.height + 8 ? box.top - size.height - 6 : box.bottom + 6}px`;
  };
  document.querySelectorAll("[data-c]").forEach((group) => group.querySelectorAll(".words[data-v]").forEach((words) => heat(words, Number(group.dataset.c), Number(group.dataset.m))));
  document.addEventListener("pointerover", (event) => { const word = event.target.closest(".t"); if (word || !document.activeElement.closest(".words")) show(word); });
  document.addEventListener("keydown", (event) => {
    const words = event.target.closest(".words[tabindex]");
    if (!words || !["ArrowLeft", "ArrowRight", "Escape"].includes(event.key)) return;
    const all = [...words.querySelectorAll(".t")], now = all.findIndex((each) => each.classList.contains("at"));
    const start = all.findIndex((each) => each.tagName === "MARK");
    show(event.key === "Escape" ? null : all[now < 0 ? Math.max(start, 0) : Math.max(0, Math.min(all.length - 1, now + (event.key === "ArrowRight" ? 1 : -1)))]);
    event.preventDefault();
  });
  document.addEventListener("focusout", (event) => { if (event.target.closest(".words")) show(null); });
  addEventListener("scroll", () => { if (!tip.hidden) show(null); }, { passive: true });

  // ---- tabs: sections under one another become panels, the address' hash says which
  document.querySelectorAll(".tabs").forEach((box) => {
    const panels = [...box.querySelectorAll(":scope > .tab")];
    if (panels.length < 2) return;
    const list = make("div", { role: "tablist", "aria-label": box.dataset.label || "Clips" });
    const buttons = panels.map((panel) => {
      const title = panel.querySelector("h2");
      const made = make("button", { type: "button", role: "tab", id: `tab-${panel.id}`, "aria-controls": panel.id }, title.textContent);
      panel.setAttribute("role", "tabpanel");
      panel.setAttribute("aria-labelledby", made.id);
      title.classList.add("hidden");
      made.addEventListener("click", () => { pick(panel.id); history.replaceState(null, "", `#${panel.id}`); });
      return made;
    });
    const pick = (id) => panels.forEach((panel, at) => {
      panel.hidden = panel.id !== id;
      buttons[at].setAttribute("aria-selected", panel.id === id);
      buttons[at].tabIndex = panel.id === id ? 0 : -1;
    });
    list.addEventListener("keydown", (event) => {
      const way = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!way) return;
      const next = buttons[(buttons.indexOf(document.activeElement) + way + buttons.length) % buttons.length];
      next.focus();
      next.click();
      event.preventDefault();
    });
    list.append(...buttons);
    box.prepend(list);
    const named = () => panels.some((panel) => `#${panel.id}` === location.hash) ? location.hash.slice(1) : panels[0].id;
    pick(named());
    addEventListener("hashchange", () => pick(named()));
  });

  // ---- small tables that sort
  document.querySelectorAll("table.sortable").forEach((table) => {
    const body = table.tBodies[0];
    const worth = (cell) => { const text = cell.textContent.trim(), found = text.replace(/,/g, "").match(/^[<–]?\s*([+-]?\d*\.?\d+(?:e[+-]?\d+)?)/); return found ? Number(found[1]) : text.startsWith("–") || !text ? null : text.toLowerCase(); };
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const made = make("button", { type: "button" }, head.textContent);
      head.replaceChildren(made);
      made.addEventListener("click", () => {
        const falling = head.getAttribute("aria-sort") !== "descending";
        [...head.parentNode.cells].forEach((each) => each.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", falling ? "descending" : "ascending");
        const rows = [...body.rows].map((row) => [worth(row.cells[column]), row]);
        rows.sort(([a], [b]) => a === null ? 1 : b === null ? -1 : (a < b ? -1 : a > b ? 1 : 0) * (falling ? -1 : 1));
        body.append(...rows.map(([, row]) => row));
      });
    });
  });

  window.unitscope = { make, units, page, root };
})();
