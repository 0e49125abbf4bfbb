// The list of lines on a chat page: make a line, put it in its place, keep the end in sight.
//
// Names and messages come from strangers. `textContent` shows them as they are and never runs them.
"use strict";

/** Find an element of the page by its id. */
const $ = (id) => document.getElementById(id);

const KEPT = 500; // lines in the list; older ones go
let following = true; // the reader is at the end of the list, and stays there
let drawing = false; // lines were put into the list that are not on the screen yet

function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

/** Make a piece of Chinese that a screen reader pronounces as such. */
function chinese(text) {
  const made = element("span", "", text);
  made.lang = "zh";
  return made;
}

/** Make a line that somebody said; `className` begins with "mine" or "theirs". */
function makeLine(className, username, msg, time) {
  const mine = className.startsWith("mine");
  const line = element("li", `line ${className}`);
  const who = element("p", "who");
  who.append(mine ? chinese("我") : element("bdi", "", username), " ", element("time"));
  const text = element("p", "text", msg);
  text.dir = "auto"; // Arabic and Hebrew run from right to left
  line.append(who, text);
  if (mine) line.setAttribute("aria-live", "off"); // no need to read it to its author
  setTime(line, time);
  return line;
}

/** Show when a line was said, on the reader's clock. A line that waits has no time yet. */
function setTime(line, time) {
  const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const waiting = line.classList.contains("pending") ? "waiting…" : "";
  line.querySelector("time").dateTime = time;
  line.querySelector("time").textContent = time
    ? new Date(time).toLocaleTimeString([], clock)
    : waiting;
}

/** Put a line into the list: before another one, or, without it, at the end. `kept` lines stay. */
function place(line, before = null, kept = KEPT) {
  if (!drawing) {
    following = isAtEnd(); // before the line makes the list longer
    drawing = true;
    requestAnimationFrame(drawn);
  }
  const lines = $("lines");
  lines.insertBefore(line, before);
  while (lines.childElementCount > kept && !lines.firstElementChild.matches(".pending"))
    lines.firstElementChild.remove();
}

/** Scroll once for all lines of this moment. Who reads further up stays, and is told. */
function drawn() {
  drawing = false;
  if (following) toEnd();
  else $("newer").hidden = false;
}

function isAtEnd() {
  const { scrollHeight, scrollTop, clientHeight } = $("log");
  return scrollHeight - scrollTop - clientHeight < 40;
}

function toEnd() {
  $("log").scrollTop = $("log").scrollHeight;
}

$("log").addEventListener("scroll", () => {
  if (!drawing) following = isAtEnd();
  if (following) $("newer").hidden = true;
});

$("newer").addEventListener("click", () => {
  following = true; // also if a line is being drawn
  $("newer").hidden = true;
  toEnd();
  $("log").focus();
});

// The list gets smaller when a phone shows its keyboard: the end stays in sight.
new ResizeObserver(() => following && toEnd()).observe($("log"));
