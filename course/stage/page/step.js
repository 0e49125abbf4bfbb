// The step that is shown: its words, its code, its notes, and the controls that run it.

"use strict";

let current = ""; // path of the step that is shown
let shown = null; // what the stage says about it

const WORDS = {
  running: said("runs"),
  stopping: said("is ending"),
  ended: said("has ended"),
  stopped: said("was stopped"),
};
// Of the paragraphs of a step's docstring.
const LABELS = { Source: said("Source"), See: said("See"), Try: said("Try"), New: said("New") };

async function showStep() {
  const path = decodeURIComponent(location.hash.slice(1));
  const step = Object.hasOwn(course.titles, path) ? path : course.order[0];
  const found = await read(`steps/${step}`);
  [current, shown] = [step, found];
  complain("");
  document.title = found.title + " · " + said("The stage");
  $("title").textContent = found.title;
  $("where").textContent = [found.sections.join(said(", ")), found.place, ...found.notes.map(minutesWords)].join(" · ");
  $("says").replaceChildren(...found.says.flatMap(paragraphOf), ...found.wrong.flatMap(wrongWay));
  showCode(found.files);
  showNotes(found.notes);
  const place = course.order.indexOf(step);
  turnTo("previous", course.order[place - 1]);
  turnTo("next", place < 0 ? null : course.order[place + 1]);
  $("options").value = runs.get(step)?.options ?? "";
  for (const other of document.querySelectorAll("a.language")) other.hash = step;
  markCurrent(step);
  channel.postMessage({ step });
  showRun();
  for (const [number, view] of views) view.box.hidden = runs.get(step)?.run !== number;
}

function paragraphOf({ label, runs }) {
  const words = element("dd");
  words.append(...wordsOf(runs));
  return [element("dt", "", LABELS[label] ?? label), words];
}

/** Lead to the source's program that this step mends. */
function wrongWay(path) {
  const words = element("dd");
  words.append(link(`#${path}`, course.titles[path]));
  return [element("dt", "", said("Naive")), words];
}

function minutesWords({ lesson, title, minutes }) {
  return minutes ? said("lesson {0} {1}, {2} minutes", lesson, title, minutes) : said("lesson {0} {1}", lesson, title);
}

function turnTo(way, step) {
  $(way).hidden = !step;
  if (!step) return;
  $(way).href = `#${step}`;
  $(way).title = course.titles[step];
}

/** Show the state of the current step's run, and what can be done with it. */
function showRun() {
  const run = runs.get(current);
  const active = run && isActive(run);
  $("run").textContent = active ? said("Stop") : run ? said("Run again") : said("Run");
  $("run").disabled = run?.state === "stopping";
  $("state").textContent = run ? (WORDS[run.state] ?? said("failed with exit code {0}", run.code)) : "";
  $("state").dataset.state = run?.state ?? "";
  $("options").disabled = Boolean(active);
  $("count").hidden = !(shown.serves || shown.clients > 1 || run?.addresses.length);
  $("command").textContent = [`python3 -m course step ${current}`, ...(run?.addresses ?? [])].join(" · ");
  const count = wantedClients();
  for (const choice of $("count").querySelectorAll("input")) choice.checked = Number(choice.value) === count;
}

function wantedClients() {
  return recall(`clients ${current}`, shown.clients);
}

async function runOrStop() {
  const run = runs.get(current);
  if (run && isActive(run)) await ask(`runs/${run.run}/stop`);
  else if (await ask("runs", { step: current, options: $("options").value, clients: wantedClients() }))
    $("controls").scrollIntoView(); // what it shows is below
}

$("controls").addEventListener("submit", (event) => {
  event.preventDefault();
  runOrStop();
});

$("count").addEventListener("change", (event) => {
  const clients = Number(event.target.value);
  remember(`clients ${current}`, clients);
  const run = runs.get(current);
  if (run && isActive(run)) ask(`runs/${run.run}/clients`, { clients });
});

addEventListener("hashchange", async () => {
  await showStep();
  $("step").scrollTo(0, 0);
  $("step").focus({ preventScroll: true });
});

// A window with the notes asks which step is shown, and may turn the steps.
const channel = new BroadcastChannel("stage");
channel.addEventListener("message", ({ data }) => {
  if (data.hello && current) channel.postMessage({ step: current });
  if (data.turn && !$(data.turn).hidden) $(data.turn).click();
});

toggles("show-map", "map", true);
toggles("show-notes", "notes-box", false);
loadMap()
  .then(showStep)
  .then(() => {
    $("step").focus({ preventScroll: true });
    listen();
    const { home } = document.body.dataset;
    // Under another name the frames are of another site, and get no cookies.
    if (home && location.host !== home) complain(said("Clients side by side need the address that the terminal shows: {0}", `http://${home}/…`));
  });
