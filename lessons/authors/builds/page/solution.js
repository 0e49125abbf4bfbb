// One socket at a time, and a list of lines that nobody has acknowledged yet.
"use strict";

const LONGEST = 30_000; // ms between two attempts
const $ = (id) => document.getElementById(id);
const waiting = []; // lines without an ack, in order
let socket = null;
let failures = 0; // in a row

function connect() {
  $("state").textContent = "connecting";
  socket = new WebSocket(`ws://${location.host}/socket`);
  socket.addEventListener("open", opened);
  socket.addEventListener("message", (event) => hear(JSON.parse(event.data)));
  socket.addEventListener("close", gone);
}

function opened() {
  failures = 0;
  $("state").textContent = "open";
  for (const line of waiting) transmit(line);
}

function gone({ code, reason }) {
  if (code >= 4400 && code <= 4499) {
    $("state").textContent = "closed";
    $("reason").textContent = reason;
    return;
  }
  $("state").textContent = "waiting";
  const wait = Math.min(LONGEST, 500 * 2 ** failures);
  failures += 1;
  setTimeout(connect, wait * (0.75 + Math.random() / 4));
}

function hear(frame) {
  if ("msg" in frame) {
    show(frame.msg);
    return;
  }
  const at = waiting.findIndex((line) => line.client_id === frame.ack);
  if (at < 0) return; // acknowledged before
  const line = waiting[at];
  waiting.splice(at, 1);
  show(line.msg);
}

function show(text) {
  const item = document.createElement("li");
  item.textContent = text;
  $("lines").append(item);
}

function transmit(line) {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(line));
}

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const msg = $("text").value;
  if (!msg.trim()) return;
  $("text").value = "";
  waiting.push({ msg, client_id: crypto.randomUUID() });
  transmit(waiting.at(-1));
});

connect();
