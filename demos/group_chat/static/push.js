// Step 2: the same messages by polling, long polling, server-sent events and WebSocket.
//
// Each lane is a function that opens it and gives what it hears to `hear`. All go on after the id of the
// last message they have, so that each message comes once.
"use strict";

const $ = (id) => document.getElementById(id);
const rows = [...document.querySelectorAll("[data-lane]")];
const COLUMNS = ["messages", "waiting", "requests", "received", "sent", "each", "median", "longest"];
for (const row of rows) {
  for (const column of COLUMNS) row.append(Object.assign(document.createElement("td"), { className: column }));
}

const race = new Race([...document.querySelectorAll("[data-race]")]);
const OFTEN = 500; // ms between two looks at what the lanes have cost

let run = null; // the present run: its name, its lanes, and how to end it

async function start() {
  stop("Starting…");
  const mine = (run = { name: newName(), ended: new AbortController(), lanes: {} });
  try {
    const { last, offset } = await setClock(mine);
    if (mine !== run) return;
    for (const { dataset: { lane: name } } of rows) mine.lanes[name] = { name, last, offset, delays: [], missed: 0 };
    race.start();
    for (const [name, open] of Object.entries({ poll, "long-poll": longPoll, events, socket })) {
      open(mine, mine.lanes[name], `${name}/${mine.name}`).catch((error) => fail(mine, error));
    }
    watch(mine).catch((error) => fail(mine, error));
    tell("on", "Running");
  } catch (error) {
    fail(mine, error);
  }
}

function stop(sentence) {
  run?.ended.abort();
  run = null;
  race.stop();
  tell("off", sentence);
}

function fail(mine, error) {
  if (mine === run) stop(`Stopped: ${error.message}`);
}

// --- The four lanes ---

async function poll(mine, lane, path) {
  while (mine === run) {
    race.asked(lane.name);
    for (const tick of await ask(mine, `${path}/${lane.last}`)) hear(lane, tick);
    await new Promise((resolve) => setTimeout(resolve, $("every").value * 1000));
  }
}

async function longPoll(mine, lane, path) {
  while (mine === run) {
    race.asked(lane.name);
    for (const tick of await ask(mine, `${path}/${lane.last}`)) hear(lane, tick);
  }
}

async function events(mine, lane, path) {
  race.asked(lane.name);
  const stream = new EventSource(`${path}/${lane.last}`);
  stream.addEventListener("message", ({ data }) => hear(lane, JSON.parse(data)));
  // By itself it would connect again at once, and hear the same messages again.
  stream.addEventListener("error", () => {
    stream.close();
    fail(mine, new Error("the stream of events broke"));
  });
  mine.ended.signal.addEventListener("abort", () => stream.close());
}

async function socket(mine, lane, path) {
  const address = new URL(`${path}/${lane.last}`, location.href);
  address.protocol = address.protocol.replace("http", "ws");
  race.asked(lane.name);
  const opened = new WebSocket(address);
  opened.addEventListener("message", ({ data }) => hear(lane, JSON.parse(data)));
  opened.addEventListener("close", ({ code }) => fail(mine, new Error(`the socket closed with ${code}`)));
  mine.ended.signal.addEventListener("abort", () => opened.close());
}

function hear(lane, { id, made }) {
  if (id !== lane.last + 1) lane.missed += 1; // one is missing, or came twice
  lane.last = id;
  lane.delays.push(now() + lane.offset - made);
  race.heard(lane.name, id, made - lane.offset);
}

// --- Counting ---

/** Ask the server twice a second what each lane has cost, and show it. */
async function watch(mine) {
  while (mine === run) {
    const { lanes } = await ask(mine, `counters/${mine.name}`);
    for (const row of rows) show(row, lanes[row.dataset.lane], mine.lanes[row.dataset.lane]);
    await new Promise((resolve) => setTimeout(resolve, OFTEN));
  }
}

function show(row, { requests, received, sent }, { delays, missed }) {
  const sorted = [...delays].sort((one, other) => one - other);
  const texts = {
    messages: delays.length + (missed ? ` (${missed} out of order)` : ""),
    waiting: number(race.waiting(row.dataset.lane)),
    requests: number(requests),
    received: number(received),
    sent: number(sent),
    each: delays.length ? number(Math.round((received + sent) / delays.length)) : "–",
    median: delays.length ? milliseconds(sorted[sorted.length >> 1]) : "–",
    longest: delays.length ? milliseconds(sorted.at(-1)) : "–",
  };
  for (const column of COLUMNS) row.querySelector(`.${column}`).textContent = texts[column];
}

const number = (value) => value.toLocaleString("en");
const milliseconds = (value) => `${value.toFixed(value < 10 ? 1 : 0)} ms`;

/** Return the last id, and how far the server's clock is ahead of ours: of five answers, the quickest. */
async function setClock(mine) {
  let best = { took: Infinity };
  for (let i = 0; i < 5; i += 1) {
    const asked = now();
    const answer = await ask(mine, `counters/${mine.name}`);
    const took = now() - asked;
    if (took < best.took) best = { took, offset: answer.now - (asked + took / 2) };
    best.last = answer.last;
  }
  return best;
}

/** The time in milliseconds since 1970, with parts of a millisecond. */
const now = () => performance.timeOrigin + performance.now();

const newName = () => crypto.getRandomValues(new Uint32Array(2)).reduce((name, n) => name + n.toString(36), "");

async function ask(mine, path) {
  const answer = await fetch(path, { cache: "no-store", signal: mine.ended.signal });
  if (!answer.ok) throw new Error(`${path} answers ${answer.status}`);
  return answer.json();
}

function tell(state, sentence) {
  $("state").dataset.state = state;
  $("state").textContent = sentence;
  $("stop").disabled = !run;
}

$("run").addEventListener("submit", (event) => {
  event.preventDefault();
  start();
});
$("every").addEventListener("change", () => run && start());
$("stop").addEventListener("click", () => stop("Stopped"));

// Only from here on is a click heard.
$("start").disabled = false;
