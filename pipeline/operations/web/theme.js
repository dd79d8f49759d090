// Light or dark: what the system says, or what was chosen here. Loaded before the page is painted.
"use strict";

const themes = ["auto", "light", "dark"];

function storedTheme() {
  try {
    const stored = localStorage.getItem("cio-pipeline-theme");
    return themes.includes(stored) ? stored : "auto";
  } catch {
    return "auto"; // storage is switched off
  }
}

function applyTheme(theme) {
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("cio-pipeline-theme", theme);
  } catch {
    // it holds until the page is left
  }
}

applyTheme(storedTheme());
document.addEventListener("DOMContentLoaded", () => {
  const choice = document.getElementById("theme");
  if (choice === null) return;
  choice.value = storedTheme();
  choice.addEventListener("change", () => applyTheme(choice.value));
});
