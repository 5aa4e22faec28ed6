// Charts: specifications stand in the page as data; the bundle draws them, without evaluating code.
"use strict";
(() => {
  const { units, page } = window.unitscope;
  const filled = (text) => { const style = getComputedStyle(document.documentElement); return text.replace(/var\((--[\w-]+)\)/g, (all, name) => style.getPropertyValue(name).trim() || "gray"); };
  const points = (data) => {
    const found = [], column = data.columns;
    let row = 0;
    data.layers.forEach(([address], layer) => {
      for (const stop = row + data.sizes[layer]; row < stop; row++)
        if (column.place[row] !== null)
          found.push({ place: column.place[row] / 1000, score: column.score[row] / 1000, kind: data.kinds[column.kind[row]], concept: data.concepts[column.concept[row]][0], address: `${address}:${column.unit[row]}`, href: page.unit(data, layer, column.unit[row]) });
    });
    return found;
  };
  const draw = async (box, text) => {
    const spec = JSON.parse(filled(text));
    const many = "units" in box.dataset;
    if (many) spec.datasets = { units: points(await units()) };
    const style = getComputedStyle(document.body);
    spec.config.font = style.fontFamily;
    if (box.clientWidth < 480) spec.config.legend.columns = 2;
    if (spec.facet) {
      if (box.clientWidth < 720) spec.columns = 1;
      spec.spec.width = Math.max(200, Math.min(spec.spec.width, box.clientWidth / spec.columns - 70));
    }
    for (const part of ["axis", "legend", "header"]) for (const name of ["labelFont", "titleFont"]) spec.config[part][name] = style.fontFamily;
    const inside = box.querySelector(".drawn") || box.appendChild(document.createElement("div"));
    inside.className = "drawn";
    await window.vegaEmbed(inside, spec, { actions: false, ast: true, renderer: many ? "canvas" : "svg", tooltip: { theme: "custom" } });
  };
  for (const box of document.querySelectorAll(".chart")) {
    const text = box.querySelector("script[type='application/json']").textContent;
    draw(box, text);
    document.addEventListener("unitscope-theme", () => draw(box, text));
  }
})();
