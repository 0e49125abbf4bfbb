"use strict";
// A lesson in parts, each on as many slides as it needs in this window. Forward shows the hidden answers of a slide before
// it goes on; back hides nothing again.
const place = document.getElementById("place");
const parts = [...document.querySelectorAll(".slide")];
const answers = [...document.querySelectorAll(".answer")];
const seen = new Set();  // the answers that were shown
let slides = [];  // each: the part, and those of its blocks that are on the slide
let now = 0;

// The blocks of a part: paragraphs, lists, tables, a cell's code, each of its outputs.
function blocksOf(part) {
  return [...part.children].flatMap((one) => (one.matches(".prose, .output") ? [...one.children] : [one]));
}

function heightOf(blocks) {
  return blocks[blocks.length - 1].getBoundingClientRect().bottom - blocks[0].getBoundingClientRect().top;
}

// What names the block below it: a heading, and the file of code that is shown.
const leads = (block) => block.matches("h1, h2, h3, .output > p:not(:last-child)");
const isLonely = (blocks) => blocks.length === 1 && blocks[0].matches("p") && !blocks[0].querySelector("img");

// Lay the blocks of a part out: as many on each slide as fit.
function laidOut(part, room) {
  const found = [[]];
  for (const block of blocksOf(part)) {
    const last = found[found.length - 1];
    if (last.every(leads) || heightOf([...last, block]) <= room) last.push(block);
    else found.push([...last.splice(cutAt(last, block, room)), block]);
  }
  return joined(found, room).map((blocks) => ({ part, blocks }));
}

// Where to cut the blocks of a slide when `next` goes to the slide after it. What leads goes with it. So does the code of its cell,
// if all outputs of the cell have room there too. An answer to a prediction goes alone: the question and the code stay together.
function cutAt(blocks, next, room) {
  const output = next.closest(".output:not(.answer)");
  const code = output ? blocks.indexOf(output.previousElementSibling) : -1;
  const stays = blocks.slice(0, Math.max(code, 0));
  const isEnough = code > 0 && !stays.every(leads) && !(isLonely(stays) && heightOf(stays) < room / 4);
  const goes = isEnough && heightOf([blocks[code], output.lastElementChild]) <= room;
  let at = goes ? code : blocks.length;
  while (at > 1 && leads(blocks[at - 1])) at -= 1;
  return at;
}

// A sentence alone on a slide takes what is before it along, or goes to the slide after it or before it, where it has room.
// There is room beside what scrolls.
function joined(found, room) {
  const fits = (blocks) => heightOf(blocks) <= room;
  const scrolls = (blocks) => blocks.length === 1 && !fits(blocks);
  for (let at = found.length - 1; at >= 0; at -= 1) {
    const [before, here, after] = [found[at - 1], found[at], found[at + 1]];
    if (!isLonely(here)) continue;
    const [rest, last] = [before?.slice(0, -1), before?.[before.length - 1]];
    const cuts = before ? [cutAt(rest, last, room), cutAt(rest, last, 0)] : [];  // the whole cell, or only its end
    const cut = cuts.find((one) => !before.slice(0, one).every(leads) && fits([...before.slice(one), ...here]));
    if (cut) here.unshift(...before.splice(cut));
    else if (after && (scrolls(after) || fits([...here, ...after]))) after.unshift(...found.splice(at, 1)[0]);
    else if (before && scrolls(before)) before.push(...found.splice(at, 1)[0]);
  }
  return found;
}

// What is too high for its slide is set closer. If that is not enough, it gets the room that the other blocks leave it, and scrolls.
function fitted(blocks, room) {
  if (heightOf(blocks) <= room) return;
  const highest = blocks.reduce((one, other) => (heightOf([other]) > heightOf([one]) ? other : one));
  highest.classList.add("dense");
  const whole = heightOf(blocks);
  if (whole <= room) return;
  highest.style.setProperty("--room", `${room - whole + heightOf([highest])}px`);
  highest.classList.add("tall");
  highest.tabIndex = 0;
}

function layOut() {
  const first = slides[now]?.blocks[0];
  for (const one of [...parts, ...answers]) one.hidden = false;
  document.querySelectorAll(".off, .dense, .tall").forEach((one) => { one.classList.remove("off", "dense", "tall"); });
  slides = parts.flatMap((part) => {
    const { paddingTop, paddingBottom } = getComputedStyle(part);
    const room = part.clientHeight - parseFloat(paddingTop) - parseFloat(paddingBottom);
    const found = laidOut(part, room);
    found.forEach(({ blocks }) => fitted(blocks, room));
    return found;
  });
  return Math.max(0, slides.findIndex(({ blocks }) => blocks.includes(first)));
}

function show(number) {
  now = Math.min(Math.max(number, 0), slides.length - 1);
  const { part, blocks } = slides[now];
  parts.forEach((one) => { one.hidden = one !== part; });
  blocksOf(part).forEach((one) => { one.classList.toggle("off", !blocks.includes(one)); });
  answers.forEach((one) => { one.hidden = !seen.has(one) && part.contains(one); });
  // Where answers are all that a slide has, turning to it has asked for them.
  if (hidden().length > 0 && blocks.every((one) => one.closest(".answer"))) reveal();
  place.textContent = `${now + 1} ${place.dataset.of} ${slides.length}`;
  history.replaceState(null, "", `#${now + 1}`);
  part.focus({ preventScroll: true });
}

function hidden() {
  const { blocks } = slides[now];
  return answers.filter((one) => one.hidden && blocks.some((block) => one.contains(block)));
}

function reveal() {
  hidden().forEach((one) => { seen.add(one); one.hidden = false; });
}

function forward() {
  if (hidden().length > 0) reveal();
  else show(now + 1);
}

// Space reads on: it scrolls what is higher than the slide, and goes forward at its end.
function read() {
  const tall = slides[now].blocks.find((one) => one.matches(".tall") && one.scrollTop + one.clientHeight < one.scrollHeight - 4);
  if (tall) tall.scrollBy(0, tall.clientHeight * 0.8);
  else forward();
}

const keys = {
  ArrowRight: forward, PageDown: forward, " ": read,
  ArrowLeft: () => show(now - 1), PageUp: () => show(now - 1),
  Home: () => show(0), End: () => show(slides.length - 1),
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
const asked = () => (Number(location.hash.slice(1)) || 1) - 1;
addEventListener("hashchange", () => { if (asked() !== now) show(asked()); });
addEventListener("resize", () => show(layOut()));
addEventListener("load", () => { layOut(); show(asked()); });  // the pictures have their size now
