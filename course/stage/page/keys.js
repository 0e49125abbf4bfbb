// Keys, type, light and dark, and the reset.

"use strict";

const KEYS = {
  ArrowRight: () => $("next").hidden || $("next").click(),
  j: () => $("next").hidden || $("next").click(),
  ArrowLeft: () => $("previous").hidden || $("previous").click(),
  k: () => $("previous").hidden || $("previous").click(),
  r: () => $("run").click(),
  f: () => $("fold").click(),
  m: () => $("show-map").click(),
  n: () => $("show-notes").click(),
  "+": () => resize(1),
  "-": () => resize(-1),
  "?": () => $("keys").showModal(),
};

addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
  if (document.querySelector("dialog[open]")) return;
  if (target.closest("input:not([type=checkbox]), textarea, select")) return;
  if (key.startsWith("Arrow") && target.closest("[data-scrolls]")) return; // they scroll there
  if (key.length === 1 && !$("use-keys").checked) return;
  if (!Object.hasOwn(KEYS, key)) return;
  event.preventDefault();
  KEYS[key]();
});

$("use-keys").checked = recall("keys", true);
$("use-keys").addEventListener("change", () => remember("keys", $("use-keys").checked));
$("show-keys").addEventListener("click", () => $("keys").showModal());

// --- Type: from a laptop to the back row ---

const SIZES = [14, 16, 18, 20, 24, 28, 32, 36]; // pixels of a rem

function resize(steps) {
  const size = Math.max(0, Math.min(SIZES.length - 1, recall("size", 2) + steps));
  remember("size", size);
  document.documentElement.style.fontSize = `${SIZES[size]}px`;
}

$("larger").addEventListener("click", () => resize(1));
$("smaller").addEventListener("click", () => resize(-1));
resize(0);

// --- Light and dark: the system's, until the presenter says otherwise; frames follow ---

function setTheme(theme) {
  document.documentElement.style.colorScheme = theme;
  remember("theme", theme);
}

$("theme").addEventListener("click", () => {
  const scheme = recall("theme", "light dark");
  const systems = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const now = scheme === "light dark" ? systems : scheme;
  setTheme(now === "dark" ? "light" : "dark");
});
setTheme(recall("theme", "light dark"));

// --- Between classes ---

$("reset").addEventListener("click", () => $("really").showModal());
$("really").addEventListener("close", async () => {
  if ($("really").returnValue !== "yes") return;
  $("reset").disabled = true;
  const done = await ask("reset");
  $("reset").disabled = false;
  if (done) $("connection").textContent = done.said;
});
