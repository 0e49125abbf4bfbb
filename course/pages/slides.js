"use strict";
// One slide at a time. Forward shows the hidden answers of a slide before it goes on; back hides nothing again.
const all = [...document.querySelectorAll(".slide")];
const place = document.getElementById("place");
let now = 0;

function show(number) {
  now = Math.min(Math.max(number, 0), all.length - 1);
  all.forEach((slide, index) => { slide.hidden = index !== now; });
  place.textContent = `${now + 1} of ${all.length}`;
  history.replaceState(null, "", `#${now + 1}`);
  all[now].scrollTop = 0;
  all[now].focus({ preventScroll: true });
}

function forward() {
  const answers = all[now].querySelectorAll(".answer[hidden]");
  if (answers.length === 0) { show(now + 1); return; }
  answers.forEach((answer) => { answer.hidden = false; });
  answers[0].scrollIntoView({ block: "nearest" });
}

// Space reads on: it scrolls a long slide, and goes forward at its end.
function read() {
  const slide = all[now];
  if (slide.scrollTop + slide.clientHeight < slide.scrollHeight - 4) slide.scrollBy(0, slide.clientHeight * 0.8);
  else forward();
}

const keys = {
  ArrowRight: forward, PageDown: forward, " ": read,
  ArrowLeft: () => show(now - 1), PageUp: () => show(now - 1),
  Home: () => show(0), End: () => show(all.length - 1),
  f: () => document.documentElement.requestFullscreen(),
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || !(event.key in keys)) return;
  if (event.key === " " && event.target.closest("button, a")) return;  // it presses them
  event.preventDefault();
  keys[event.key]();
});
document.getElementById("back").addEventListener("click", () => show(now - 1));
document.getElementById("next").addEventListener("click", forward);
addEventListener("hashchange", () => { if (Number(location.hash.slice(1)) !== now + 1) show(Number(location.hash.slice(1)) - 1); });
show((Number(location.hash.slice(1)) || 1) - 1);
