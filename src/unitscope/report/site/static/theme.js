// The reader's choice of light or dark, before anything is drawn.
(() => {
  let chosen = null;
  try { chosen = localStorage.getItem("unitscope-theme"); } catch { /* storage may be barred */ }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  document.documentElement.classList.add("scripted");
})();
