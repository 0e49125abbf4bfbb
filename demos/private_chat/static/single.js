// The page of the private chat: what it hears and what it says; docs/wire-formats.md describes the
// frames. It stands on lasting_socket.js of the group chat (the connection), on talks.js (what was
// said) and on people.js (who one can write to); step 4 adds friends.js.
//
// From top to bottom: the connection, frames that arrive, messages that leave, what has been seen,
// sentences for the reader, and the events that start it all.
"use strict";

const LENGTH = Number(document.body.dataset.length) || Infinity; // characters in one message, as the server says
const LIMIT = Number(document.body.dataset.limit) || Infinity; // bytes in one frame, as the server says
const BROKEN_FRAME = [1002, 1003, 1007, 1009]; // close codes: the last frame was one
// Errors that pass by themselves.
const PASSING = { not_stored: "the database is away", too_fast: "too many at once" };

const outbox = []; // our messages without an answer, in the order in which they were written
const arrived = new Set(); // ids that the server does not know yet to be here
let retry = 0; // timers
let reporting = 0;
let reported = 0; // when that was done last, in ms

/** Return an id that no other message has. (crypto.randomUUID works under https only.) */
function newId() {
  const numbers = crypto.getRandomValues(new Uint32Array(4));
  return Array.from(numbers, (number) => number.toString(16).padStart(8, "0")).join("");
}

// --- The connection ---

const connection = new LastingSocket(["im.v1"], {
  address,
  connecting: () => showState("busy", "Connecting…"),
  open() {}, // the server has to say "welcome" first
  frame: (frame) => Object.hasOwn(hear, frame.type) && hear[frame.type](frame),
  closed: blame,
  waiting(seconds, reason) {
    const what = "Not connected" + (reason && ` (${reason})`);
    showState("busy", `${what}. Next attempt in ${Math.ceil(seconds)} s.`);
  },
  ended: (code, reason) => (code === 4401 ? logIn() : showState("off", `Not connected: ${reason}`)),
});

/** Return the socket's address: beside the page's own, whatever its host, path and protocol. */
function address() {
  const url = new URL(since ? `single_ws?since=${since}` : "single_ws", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  return url;
}

/** The session has ended: back to the log-in, which says so. */
function logIn() {
  connection.stop();
  location.replace("login?ended=yes");
}

/** The server closed because it could not read a frame: the one that it has not answered. */
function blame(code, reason) {
  if (BROKEN_FRAME.includes(code) && outbox.length) fail(outbox[0], reason || "a broken frame");
}

/** Ask over HTTP; with `content`, for a change. The answer has a `reason` if it failed. */
async function ask(url, content) {
  const options = { headers: { Accept: "application/json" } };
  if (content) {
    options.method = "POST";
    options.body = JSON.stringify(content);
    options.headers["Content-Type"] = "application/json";
    options.headers["X-CSRFToken"] = $("logout").elements.csrf_token.value;
  }
  try {
    const answer = await fetch(url, options);
    if (answer.status === 401) logIn();
    const reason = answer.ok ? "" : `The server says ${answer.status}.`;
    return { reason, ...(await answer.json()) };
  } catch {
    return { reason: "The server cannot be reached." };
  }
}

// --- Frames that arrive: what to do, by type. Others are younger than this page. ---

const hear = { welcome, message, delivered, read, error, beat };

function welcome({ name, beat: seconds }) {
  if (name !== me) return location.reload(); // somebody else has logged in, in another tab
  connection.admit(seconds);
  showState("on", `Connected as ${me}`);
  // Without an id we could not say what we have seen last: then the past is fetched again.
  if (!since) for (const talk of talks.values()) talk.loaded = false;
  // The last connection may have broken between a frame and its answer. The server knows the
  // client_id of a message, and stores it once.
  transmit();
  beat();
}

/** The connection lives: do what could not be done before. */
function beat() {
  report();
  if (current && keeps && !current.loaded) fetchPast(current);
}

/** A message to us, or one of ours: then it is the answer to it. */
function message(frame) {
  const mine = frame.from === me;
  const talk = talkWith(mine ? frame.to : frame.from);
  since = Math.max(since, frame.id);
  put(talk, frame);
  forgetOldest(talk);
  if (mine) return settle(frame.client_id);
  if (!withFriends) talk.state = "accepted"; // perhaps somebody who was not in the list yet
  if (frame.id && !frame.delivered) arrived.add(frame.id);
  see();
  listPeople();
  if (arrived.size) reportSoon();
}

function delivered({ friend, ids }) {
  for (const each of talkWith(friend).messages)
    if (each.from === me && ids.includes(each.id)) mark(each, "delivered");
}

/** A friend has seen what we wrote, or we ourselves, in another tab, what the friend wrote. */
function read({ reader, friend, upto }) {
  const talk = talkWith(reader === me ? friend : reader);
  if (reader !== me) {
    for (const each of talk.messages)
      if (each.from === me && each.id && each.id <= upto) mark(each, "read");
    return;
  }
  for (const each of talk.messages) if (each.from !== me && each.id <= upto) each.read = true;
  talk.seen = Math.max(talk.seen, upto);
  talk.confirmed = Math.max(talk.confirmed, upto);
  listPeople();
}

function error({ code, reason, client_id }) {
  const message = outbox.find((each) => each.client_id === client_id);
  if (!message) return; // about a mark; it goes out again with the next beat
  if (!Object.hasOwn(PASSING, code)) return fail(message, reason);
  warn(`Not sent yet: ${PASSING[code]}. This page tries again.`);
  clearTimeout(retry);
  retry = setTimeout(transmit, 2000);
}

// --- Messages that leave ---

/** Take a text for sending. Returns false, and tells the reader why, if it is not taken. */
function say(text) {
  if (!text.trim() || tooLong(text)) return false;
  for (const name of recipients()) send(name, text);
  following = true; // the reader's own line comes into sight
  return true;
}

/** Show a message as waiting, and keep it until the server answers. */
function send(to, msg, client_id = newId()) {
  put(talkWith(to), { id: null, time: "", from: me, to, msg, client_id });
  outbox.push({ to, msg, client_id });
  if (outbox.length === 1) transmit();
}

function tooLong(text) {
  const letters = [...text].length - LENGTH;
  // In UTF-8 most Chinese characters take 3 bytes; names and ids need some room as well.
  const bytes = new TextEncoder().encode(JSON.stringify(text)).length + 400 - LIMIT;
  if (letters > 0) warn(`Too long by ${letters} characters.`);
  else warn(bytes > 0 ? `Too long by ${bytes} bytes.` : "");
  return letters > 0 || bytes > 0;
}

/** Send the first message without an answer. One at a time keeps their order, come what may. */
function transmit() {
  clearTimeout(retry);
  if (outbox.length) connection.send(JSON.stringify(outbox[0]));
}

/** The server has answered: the next one can leave. */
function settle(client_id) {
  const at = outbox.findIndex((each) => each.client_id === client_id);
  if (at < 0) return;
  outbox.splice(at, 1);
  warn("");
  transmit();
}

/** The server has refused a message of ours. */
function fail({ to, msg, client_id }, reason) {
  settle(client_id);
  const talk = talkWith(to);
  const refused = find(talk, { from: me, client_id });
  refused.after = since; // what comes from now on comes below
  refused.line.classList.replace("pending", "failed");
  setTime(refused.line, "");
  const again = element("button", "quiet", "Send again ");
  again.type = "button";
  again.append(chinese("重发"));
  again.addEventListener("click", () => {
    talk.messages = talk.messages.filter((each) => each !== refused);
    refused.line.remove();
    send(to, msg, client_id);
    $("text").focus();
  });
  const why = element("p", "problem", `Not sent: ${reason} `);
  why.setAttribute("role", "alert");
  why.append(again);
  refused.line.append(why);
  if (talk !== current) warn(`Not sent to ${to}: ${reason}`);
}

// --- What has been seen ---

/** What is on the screen, with its end in sight and the page in front, has been seen. */
function see() {
  if (!current || document.hidden || !following || (keeps && !current.loaded)) return;
  if (!unreadIn(current)) return;
  const theirs = current.messages.filter(({ from }) => from !== me);
  for (const each of theirs) each.read = true;
  const newest = theirs.findLast(({ id }) => id)?.id ?? 0;
  current.seen = Math.max(current.seen, current.last, newest);
  if (keeps) reportSoon();
  listPeople();
}

/** Tell the server now, or soon if that was just done: many frames would be too fast for it. */
function reportSoon() {
  const wait = reported + 200 - performance.now();
  if (wait <= 0) report();
  else reporting ||= setTimeout(report, wait);
}

/** Tell which messages are here, and which were seen; to the latter the server answers `read`. */
function report() {
  clearTimeout(reporting);
  reporting = 0;
  reported = performance.now();
  const got = [...arrived].slice(0, 1000); // more would not fit into a frame
  if (got.length && connection.send(JSON.stringify({ got }))) {
    got.forEach((id) => arrived.delete(id));
    if (arrived.size) reportSoon();
  }
  for (const { name, seen, confirmed } of talks.values())
    if (seen > confirmed) connection.send(JSON.stringify({ read: name, upto: seen }));
}

// --- What starts it all ---

$("compose").addEventListener("submit", (event) => {
  event.preventDefault();
  if (say($("text").value.trimEnd())) $("text").value = "";
});

$("text").addEventListener("input", () => tooLong($("text").value));

$("log").addEventListener("scroll", () => {
  if (current?.more && $("log").scrollTop < 300) fetchPast(current);
  see();
});

// A mark or a sentence below a line makes the list longer: its end stays in sight.
new ResizeObserver(() => following && toEnd()).observe($("lines"));

document.addEventListener("visibilitychange", see);
$("logout").addEventListener("submit", () => connection.stop());

// What was not sent survives a reload; another user of this tab gets none of it.
addEventListener("pagehide", () => {
  sessionStorage.setItem("outbox", JSON.stringify({ me, outbox }));
});

addEventListener("pageshow", (event) => {
  const saved = JSON.parse(sessionStorage.getItem("outbox"));
  sessionStorage.removeItem("outbox");
  // A page that comes from the browser's memory has forgotten nothing.
  if (event.persisted || saved?.me !== me) return;
  for (const { to, msg, client_id } of saved.outbox) send(to, msg, client_id);
});

// All scripts are here now.
addEventListener("DOMContentLoaded", () => {
  startList();
  connection.start();
});
