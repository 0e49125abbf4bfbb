// What all scripts of the stage share: elements, requests, and what the page remembers.

"use strict";

const $ = (id) => document.getElementById(id);

/** Make an element; what it says goes in as text, never as markup. */
function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

function link(href, text, className = "") {
  const made = element("a", className, text);
  made.href = href;
  return made;
}

/** Turn runs of text, some of them marked, into nodes. */
function wordsOf(runs) {
  return runs.map(([mark, text]) => (mark === "text" ? text : element(mark, "", text)));
}

/** Fetch JSON; a refusal becomes an error with the server's own sentence. */
async function read(path, options = {}) {
  const answer = await fetch(path, options);
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(found.error ?? said("The stage answers {0}.", answer.status));
  return found;
}

/** Ask the stage to do something; what is wrong is shown. Returns null then. */
async function ask(path, what = {}) {
  complain("");
  try {
    return await read(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Stage-Token": document.body.dataset.token },
      body: JSON.stringify(what),
    });
  } catch (error) {
    complain(error.message);
    return null;
  }
}

function complain(sentence) {
  $("problem").textContent = sentence;
}

// This browser keeps what the presenter has set, from one class to the next.
function remember(name, value) {
  localStorage.setItem(`stage ${name}`, JSON.stringify(value));
}

function recall(name, otherwise) {
  return JSON.parse(localStorage.getItem(`stage ${name}`)) ?? otherwise;
}

/** Make a button show and hide a part of the page, and remember which. */
function toggles(button, part, shown) {
  function set(visible) {
    $(part).hidden = !visible;
    $(button).setAttribute("aria-pressed", visible);
    remember(part, visible);
  }
  $(button).addEventListener("click", () => set($(part).hidden));
  set(recall(part, shown));
}
