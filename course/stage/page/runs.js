// The runs: what the stage tells about them, live, and what each has said.

"use strict";

const KEPT = 120000; // characters of output that the page holds for each run
const runs = new Map(); // step → its newest run
const views = new Map(); // number of a run → what the page shows of it

let start = ""; // which start of the stage we talk to

/** Hear from the stage what runs. The browser asks again by itself when the stream breaks. */
function listen() {
  const stream = SharedStream.open("events");
  stream.addEventListener("open", () => {
    $("connection").textContent = "";
  });
  stream.addEventListener("error", () => {
    $("connection").textContent = said("The stage does not answer. Start it again: python3 -m course stage");
  });
  stream.addEventListener("refused", () => {
    $("connection").textContent = said("Too many pages are open at the moment. This one tries again by itself.");
  });
  stream.addEventListener("message", (event) => {
    for (const news of JSON.parse(event.data)) hear[news.kind](news);
  });
}

const hear = {
  /** A stream begins, and tells everything from the start. */
  stage(news) {
    if (start && start !== news.start) location.reload();
    start = news.start;
    for (const view of views.values()) {
      view.output.replaceChildren();
      view.size = 0;
    }
  },

  run(run) {
    const former = runs.get(run.step);
    if (former && former.run !== run.run) dropView(former.run);
    runs.set(run.step, run);
    const view = viewOf(run);
    showClients(view.clients, run);
    showPlots(view, run);
    if (run.addresses.length && !view.wire) view.clients.after((view.wire = wireOf(run)));
    view.box.dataset.state = run.state;
    markRunning([...runs.values()].filter(isActive).map((one) => one.step));
    if (run.step === current) showRun();
  },

  output({ run, pieces, lost }) {
    const view = views.get(run);
    const following = view.output.scrollHeight - view.output.scrollTop - view.output.clientHeight < 40;
    for (const [stream, text] of pieces) {
      view.output.append(element("span", stream, text));
      view.size += text.length;
    }
    // The newest lines stay, below a word about the others.
    if (lost || view.size > KEPT) leaveOut(view);
    view.output.hidden = false;
    if (following) view.output.scrollTop = view.output.scrollHeight;
  },
};

function isActive(run) {
  return run.state === "running" || run.state === "stopping";
}

function leaveOut(view) {
  const first = view.output.firstChild;
  if (first.className !== "stage") first.before(element("span", "stage", said("… earlier lines were left out …") + "\n"));
  const pieces = view.output.children;
  while (view.size > KEPT && pieces.length > 2) {
    view.size -= pieces[1].textContent.length;
    pieces[1].remove();
  }
}

/** Return what the page shows of a run; it stays when another step is shown, and its frames go on. */
function viewOf(run) {
  if (!views.has(run.run)) {
    const box = element("section", "view");
    box.setAttribute("aria-label", said("What {0} shows", run.step));
    const clients = element("div", "clients");
    const output = element("pre", "output");
    output.setAttribute("role", "log");
    output.setAttribute("aria-label", said("Output"));
    output.tabIndex = 0;
    output.dataset.scrolls = "";
    output.hidden = true;
    const plots = element("div", "plots");
    box.append(clients, output, plots);
    box.hidden = run.step !== current;
    $("views").append(box);
    views.set(run.run, { box, clients, output, plots, wire: null, size: 0 });
  }
  return views.get(run.run);
}

function dropView(number) {
  views.get(number)?.box.remove();
  views.delete(number);
}

/** Make the panel that shows what passes between a run and its clients. */
function wireOf(run) {
  const made = element("wire-panel");
  made.dataset.source = `wire/${run.run}`;
  return made;
}

/** Show the plots that a step has drawn. */
function showPlots({ plots }, run) {
  for (let number = plots.children.length; number < run.plots; number += 1) {
    const picture = element("img");
    picture.src = `runs/${run.run}/plots/${number}`;
    picture.alt = said("Plot {0} of {1}", number + 1, run.step);
    plots.append(picture);
  }
}
