// Step 8: shows the frames that the server sends, ten a second, and passes on what is pressed.
"use strict";

const $ = (id) => document.getElementById(id);
const lanes = new Lanes($("timeline"), document.querySelector(".legend"));
const STATES = [...document.querySelectorAll("tbody [data-letter]")].map((row) => ({
  letter: row.dataset.letter,
  name: row.firstElementChild.textContent,
  now: row.children[1],
  share: row.children[2],
}));

const AGAIN = 2000; // ms until a stream that was refused is asked for again

let shown = 0; // number of the run on the screen
let numbers = []; // connections that are open

// --- What comes from the server ---

function listen() {
  const stream = new EventSource("frames");
  stream.addEventListener("message", ({ data }) => show(JSON.parse(data)));
  stream.addEventListener("open", () => tell("off", "Ready"));
  stream.addEventListener("error", () => {
    if (stream.readyState === EventSource.CLOSED) {
      // After an answer that is no stream, the browser does not ask again.
      tell("off", "Too many pages are open at the moment. This one tries again by itself.");
      setTimeout(listen, AGAIN);
    } else {
      tell("off", "The step does not answer; is it still running?");
    }
  });
}

listen();

function show(frame) {
  if (frame.run !== shown) {
    shown = frame.run;
    const { way, clients, size } = frame.choice;
    for (const [name, value] of Object.entries(frame.choice)) $("load").elements[name].value = value;
    lanes.begin(way.startsWith("raw") ? clients : size, clients);
  }
  const wrong = frame.check.differences.map(({ number }) => number);
  lanes.add(frame.columns, frame.labels, wrong);
  numbers = frame.labels.filter((number) => number);
  write($("scale"), `The last ${lanes.seconds.toFixed(1)} seconds, the newest on the right.`);
  showState(frame);
  showCheck(frame.check);
  showFigures(frame);
}

function showState({ running, ready, failed, choice }) {
  if (running) tell("on", ready ? `Running: ${choice.way}` : `Opening: ${choice.way}`);
  else tell("off", failed ? `Ended: ${failed}` : "Stopped");
}

function showCheck({ looks, wrong, at_server: atServer, others, differences, problem }) {
  const verdict = $("verdict");
  verdict.dataset.verdict = problem || differences.length ? "differs" : looks ? "agrees" : "none";
  write(
    verdict,
    problem ||
      (differences.length
        ? `Disagreement about ${count(differences.length, "connection")}`
        : looks ? "The process list agrees with the lanes" : "No comparison yet"),
  );
  const lines = differences.slice(0, 50).map(({ number, what }) => `${number}: ${what}`);
  if (differences.length > lines.length) lines.push(`and ${differences.length - lines.length} more`);
  const list = $("differences");
  if ([...list.children].map((item) => item.textContent).join("\n") !== lines.join("\n")) {
    list.replaceChildren(...lines.map((line) => Object.assign(document.createElement("li"), { textContent: line })));
  }
  write(
    $("looks"),
    `Looks at the process list: ${looks}, with a disagreement: ${wrong}. It has ${count(atServer, "connection")} of this ` +
      `load, and ${others} of other programs.`,
  );
}

function showFigures(frame) {
  for (const place of document.querySelectorAll("[data-count]")) {
    write(place, whole(frame.counts[place.dataset.count] ?? 0));
  }
  write($("p50"), milliseconds(frame.p50));
  write($("p99"), milliseconds(frame.p99));
  write($("longest"), frame.waiting ? milliseconds(frame.longest) : "–");
  write($("turns"), whole(Math.round(frame.turns_a_second)));
  write($("notes"), whole(frame.notes));
  write($("pace"), frame.notes_a_ms.toFixed(1));
  let all = 0;
  for (const { letter, now, share } of STATES) {
    all += frame.now[letter] ?? 0;
    write(now, whole(frame.now[letter] ?? 0));
    write(share, all || frame.counts.opened ? `${(100 * frame.shares[letter]).toFixed(1)} %` : "–");
  }
  const doing = STATES.filter(({ letter }) => frame.now[letter]).map(({ letter, name }) => `${frame.now[letter]} ${name}`);
  write(
    $("now"),
    `${count(all, "connection")}${doing.length ? ": " + doing.join(", ") : ""}; ${count(frame.waiting, "caller")} waiting.`,
  );
  const errors = Object.entries(frame.errors).map(([name, times]) => `${name}: ${whole(times)}`);
  write($("errors"), errors.length ? `Errors that callers got: ${errors.join("; ")}` : "");
}

/** Write a text where it is new, so that a screen reader is not disturbed by the old one. */
function write(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

function tell(state, sentence) {
  $("state").dataset.state = state;
  write($("state"), sentence);
}

const whole = (value) => value.toLocaleString("en");
const count = (value, thing) => `${whole(value)} ${thing}${value === 1 ? "" : "s"}`;
const milliseconds = (value) => (value === null ? "–" : `${value.toFixed(value < 10 ? 2 : 0)} ms`);

// --- What is pressed ---

async function press(name, values = {}) {
  try {
    const answer = await fetch(name, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(values),
    });
    const { said } = await answer.json();
    $("said").textContent = said;
  } catch (error) {
    $("said").textContent = `${name} did not work: ${error.message}`;
  }
}

$("load").addEventListener("submit", (event) => {
  event.preventDefault();
  const { way, ...numbers } = Object.fromEntries(new FormData(event.target));
  for (const name of Object.keys(numbers)) numbers[name] = Number(numbers[name]);
  press("start", { way, ...numbers });
});

for (const button of document.querySelectorAll("[data-press]")) {
  button.addEventListener("click", () => {
    const name = button.dataset.press;
    press(name, name === "kill" ? { connection: Number($("victim").value) || null } : {});
  });
}

/** Offer the connections there are; not while somebody chooses among them. */
$("victim").addEventListener("focus", () => {
  const select = $("victim");
  const chosen = select.value;
  const options = [...numbers].sort((one, other) => one - other).map((number) => new Option(number, number));
  select.replaceChildren(new Option("any", ""), ...options);
  select.value = [...select.options].some(({ value }) => value === chosen) ? chosen : "";
});

// Only from here on is a click heard.
$("start").disabled = false;
