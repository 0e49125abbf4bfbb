// The page of the group chat, on top of lasting_socket.js (the connection) and chat_lines.js (the
// list). docs/wire-formats.md describes the frames.
//
// From top to bottom: what the page knows, the connection, frames that arrive, messages that leave,
// what the page shows, and the events that start it all.
"use strict";

const rich = document.body.dataset.format === "rich"; // otherwise the named format of the source
const title = document.title;
const LIMIT = Number(document.body.dataset.limit) || Infinity; // bytes in one frame, as the server says
const BROKEN_FRAME = [1002, 1003, 1007, 1009]; // close codes: the last frame was one

// --- What the page knows ---

// `page` marks the messages of this page and `said` counts them: together they are the client_id.
let me = { name: "", token: "", page: newMark(), said: 0 };
let inside = false; // the room has let us in under this name, at least once
let since = ""; // id of the last message in the list
let earlier = 0; // messages from before we came that are still to arrive
let unread = 0;
const shown = new Set(); // keys of the messages in the list, since one may come twice
const pending = new Map(); // client_id → a message of ours that the room has not answered yet
const people = new Map(); // name → its entry in the roster

/** Return a mark that no other page has. (crypto.randomUUID works under https only.) */
function newMark() {
  return Array.from(crypto.getRandomValues(new Uint32Array(3)), (n) => n.toString(36)).join("");
}

// --- The connection ---

const connection = new LastingSocket(rich ? ["room.v1"] : [], {
  address,
  connecting: () => show("busy", inside ? "Reconnecting…" : "Connecting…"),
  open: () => rich || welcome({ name: me.name }),
  frame: receive,
  closed: blame,
  waiting(seconds, reason) {
    const what = (inside ? "Connection lost" : "No connection") + (reason && ` (${reason})`);
    show("busy", `${what}. Next attempt in ${Math.ceil(seconds)} s.`);
  },
  ended(code, reason) {
    const refused = code === 4400 || code === 4409;
    goOut(refused || !reason ? "Not connected" : `Not connected: ${reason}`);
    if (refused) refuse(reason || "Please choose another nickname.");
  },
});

/** Return the socket's address: beside the page's own, whatever its host, path and protocol. */
function address() {
  const url = new URL(encodeURIComponent(me.name), location.href);
  url.protocol = url.protocol.replace("http", "ws");
  if (since) url.searchParams.set("since", since);
  if (me.token) url.searchParams.set("token", me.token);
  return url;
}

/** Go into the room under a nickname. On the way or there already: do nothing. */
function join(name) {
  if (connection.wanted) return;
  // In an address, dots are steps in the path.
  if (["", ".", ".."].includes(name)) return refuse("Please type a nickname.");
  if (name !== me.name) me = { ...me, name, token: "" };
  connection.start();
}

function leave() {
  connection.stop();
  for (const message of pending.values()) fail(message, "Not confirmed: you left before.");
  goOut("Not connected: you have left");
  $("nickname").focus();
}

function goOut(sentence) {
  inside = false;
  me.token = "";
  showRoster([]);
  show("off", sentence);
}

/** The room closed because it could not read a frame: the first that it has not answered. */
function blame(code, reason) {
  if (!BROKEN_FRAME.includes(code)) return;
  const culprit = [...pending.values()].find((message) => message.sentAs);
  if (culprit) fail(culprit, `Not sent: ${reason || "the room could not read it"}.`);
}

// --- Frames that arrive ---

function receive(frame) {
  if (!rich) return hear({ ...frame, time: new Date().toISOString() });
  // Nothing to do for "beat", nor for types that are younger than this page.
  const types = { welcome, message: hear, ack, presence, error, status: error };
  if (Object.hasOwn(types, frame.type)) types[frame.type](frame);
}

function welcome({ name, token = "", roster = [], replay = 0, missed = 0, beat = 0 }) {
  connection.admit(beat);
  if (!inside) $("text").focus();
  inside = true;
  me = { ...me, name, token };
  earlier = since ? 0 : replay;
  readAloud();
  showRoster(roster);
  show("on", `Connected as ${name}`);
  if (missed) note(`${missed} messages were said meanwhile and are no longer kept.`);
  // The last connection may have broken between a message and its answer. The room knows the
  // client_id and says it once, but only if we have kept our name.
  for (const message of pending.values()) {
    if (!message.sentAs || message.sentAs === name) transmit(message);
    else fail(message, `Not confirmed: you were ${message.sentAs} then.`);
  }
}

function hear({ id, time, username, msg, client_id }) {
  const old = earlier > 0;
  if (old) earlier -= 1;
  if (id) since = id;
  const mine = username === me.name && Boolean(client_id?.startsWith(`${me.page}-`));
  if (mine && pending.has(client_id)) settle(client_id, time);
  else if (isNew(username, client_id || id)) {
    place(makeLine(mine ? "mine" : "theirs", username, msg, time), nextPending());
    if (document.hidden && !mine && !old) countUnread(unread + 1);
  }
  if (old) readAloud();
}

/** Say whether a message is not in the list yet. Without an id nobody can tell: then it is new. */
function isNew(username, id) {
  const key = JSON.stringify([username, id]);
  if (id && shown.has(key)) return false;
  shown.add(key);
  if (shown.size > 2 * KEPT) shown.delete(shown.values().next().value);
  return true;
}

function ack({ client_id, id, time }) {
  since ||= id; // only then: messages with smaller ids may still be on their way
  settle(client_id, time);
}

function presence({ joined, left, count }) {
  left.forEach(removePerson);
  joined.forEach(addPerson);
  $("count").textContent = count;
  const others = joined.filter((name) => name !== me.name);
  if (others.length) note(`${some(others)} joined`);
  if (left.length) note(`${some(left)} left`);
}

/** The room says a sentence: about a message of ours, about us, or about itself. */
function error({ reason, client_id }) {
  if (pending.has(client_id)) fail(pending.get(client_id), `Not sent: ${reason}`);
  else note(reason);
}

// --- Messages that leave ---

/** Take a message for sending. Returns false, and tells the reader why, if it is not taken. */
function say(text) {
  const message = { id: `${me.page}-${me.said}`, text, sentAs: "" };
  const excess = bytes(message) - LIMIT;
  if (!text.trim()) return false;
  if (excess > 0) return warn(`Too long by ${excess} bytes: nothing was sent.`);
  if (!connection.wanted) {
    $("nickname").focus();
    return warn("Nothing was sent: first choose a nickname and connect.");
  }
  // In the named format the room gives no answers: what cannot leave now is not taken.
  if (!rich && !transmit(message))
    return warn("Nothing was sent: there is no connection at the moment.");
  warn("");
  me.said += 1;
  if (!rich) place(makeLine("mine", me.name, text, new Date().toISOString()));
  else {
    keep(message);
    transmit(message);
  }
  following = true;
  return true;
}

/** Show a message as waiting, and keep it until the room answers. */
function keep(message) {
  message.line = makeLine("mine pending", me.name, message.text, "");
  place(message.line);
  pending.set(message.id, message);
  isNew(me.name, message.id);
}

/** Send a message if we are in the room; otherwise `welcome` does it later. */
function transmit(message) {
  const sent = connection.send(encode(message));
  if (sent) message.sentAs = me.name;
  return sent;
}

function encode({ id, text }) {
  return JSON.stringify(rich ? { msg: text, client_id: id } : { username: me.name, msg: text });
}

/** Return the size of a message's frame in UTF-8, where most Chinese characters take 3 bytes. */
function bytes(message) {
  return new TextEncoder().encode(encode(message)).length;
}

/** The room has said our message. */
function settle(id, time) {
  const message = pending.get(id);
  if (!message) return;
  pending.delete(id);
  message.line.classList.remove("pending");
  setTime(message.line, time);
}

/** The room has not said our message, or nobody knows. */
function fail(message, reason) {
  pending.delete(message.id);
  message.line.classList.replace("pending", "failed");
  setTime(message.line, "");
  const again = element("button", "quiet", "Send again ");
  again.append(chinese("重发"));
  again.addEventListener("click", () => {
    if (!say(message.text)) return;
    message.line.remove();
    $("text").focus();
  });
  const why = element("p", "problem", `${reason} `);
  why.setAttribute("role", "alert");
  why.append(again);
  message.line.append(why);
}

/** Return the first line that waits: what others say comes before it, as in the room. */
function nextPending() {
  for (const { line } of pending.values()) return line;
  return null;
}

// --- What the page shows ---

/** Show the connection's state in words, and the parts of the page that go with it. */
function show(state, sentence) {
  showState(state, sentence);
  $("join").hidden = inside;
  $("leave").hidden = !connection.wanted;
  $("nickname").readOnly = connection.wanted;
  refuse("");
}

function note(text) {
  place(element("li", "event", text), nextPending());
}

/** Let a screen reader read what is said from now on, not what was said before we came. */
function readAloud() {
  $("log").setAttribute("aria-live", earlier ? "off" : "polite");
}

function showRoster(names) {
  if (!rich) return;
  people.clear();
  $("roster").replaceChildren();
  names.forEach(addPerson);
  $("count").textContent = names.length;
}

function addPerson(name) {
  if (people.has(name)) return;
  const entry = element("li");
  entry.append(element("bdi", "", name), " ", name === me.name ? chinese("我") : "");
  people.set(name, entry);
  $("roster").append(entry);
}

function removePerson(name) {
  people.get(name)?.remove();
  people.delete(name);
}

function some(names) {
  const more = names.length - 5;
  return names.slice(0, 5).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

function countUnread(count) {
  unread = count;
  document.title = count ? `(${count}) ${title}` : title;
}

// --- What starts it all ---

$("join").addEventListener("submit", (event) => {
  event.preventDefault();
  join($("nickname").value.trim());
});

$("leave").addEventListener("click", leave);

$("compose").addEventListener("submit", (event) => {
  event.preventDefault();
  if (say($("text").value.trimEnd())) $("text").value = "";
});

$("text").addEventListener("input", () => {
  const left = LIMIT - bytes({ id: `${me.page}-${me.said}`, text: $("text").value });
  if (left < 0) warn(`Too long by ${-left} bytes.`);
  else warn(left < 1000 ? `${left} bytes are left.` : "");
});

document.addEventListener("visibilitychange", () => document.hidden || countUnread(0));

// A reload keeps the tab's place. It is in storage only while no page is open: a duplicated tab
// gets a copy of the storage, and must not take our name.
const PLACE = "group chat";

addEventListener("pagehide", () => {
  if (!rich || !connection.wanted) return;
  const unsent = [...pending.values()].map(({ id, text, sentAs }) => ({ id, text, sentAs }));
  sessionStorage.setItem(PLACE, JSON.stringify({ me, unsent }));
});

addEventListener("pageshow", () => {
  const saved = JSON.parse(sessionStorage.getItem(PLACE));
  sessionStorage.removeItem(PLACE);
  // A page that comes from the browser's memory has forgotten nothing.
  if (!saved || connection.wanted) return;
  me = saved.me;
  saved.unsent.forEach(keep);
  $("nickname").value = me.name;
  join(me.name);
});

if (rich) $("people").open = matchMedia("(min-width: 48rem)").matches;

// Only from here on is a click heard.
$("connect").disabled = false;
