// Step 1: a socket, its two properties, and its four events as they happen.
"use strict";

const $ = (id) => document.getElementById(id);
const STATES = ["CONNECTING", "OPEN", "CLOSING", "CLOSED"];
const SENTENCES = ["Connecting…", "Connected", "Closing…", "Closed"];
const KEPT = 300; // events in the list

let socket = null;
let highest = 0;

// Beside the page, whatever host, path and protocol that has: http becomes ws, https becomes wss.
const address = new URL("echo", location.href);
address.protocol = address.protocol.replace("http", "ws");
$("address").textContent = address;

function connect() {
  socket = new WebSocket(address);
  socket.binaryType = "arraybuffer";
  socket.addEventListener("open", () => note("open"));
  socket.addEventListener("message", ({ data }) => note("message", describe(data)));
  socket.addEventListener("error", () => note("error", "the event does not say which; the console does"));
  socket.addEventListener("close", ({ code, reason, wasClean }) =>
    note("close", `code ${code}, reason "${reason}", wasClean ${wasClean}`),
  );
  note("new WebSocket");
}

function send(data) {
  highest = 0;
  if (socket?.readyState !== WebSocket.OPEN) {
    // While it connects, send() throws. When it is closed, send() drops the message without a word.
    note("not sent", "the socket is not open");
    return;
  }
  socket.send(data);
  note("send", describe(data));
}

/** Say what a message is: its text, or its first bytes. */
function describe(data) {
  if (typeof data === "string") {
    const length = new TextEncoder().encode(data).length;
    return `text, ${length} bytes: ${data.slice(0, 60)}${data.length > 60 ? "…" : ""}`;
  }
  const bytes = new Uint8Array(data);
  const shown = Array.from(bytes.slice(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return `binary, ${bytes.length} bytes: ${shown}${bytes.length > 8 ? " …" : ""}`;
}

/** Add a line to the list, and show the state that goes with it. */
function note(event, detail = "") {
  const line = document.createElement("li");
  line.dataset.event = event;
  const parts = { time: new Date().toISOString().slice(11, 23), b: event, span: detail };
  for (const [tag, text] of Object.entries(parts)) {
    const part = document.createElement(tag);
    part.textContent = text;
    line.append(part);
  }
  $("events").append(line);
  if ($("events").childElementCount > KEPT) $("events").firstElementChild.remove();
  $("log").scrollTop = $("log").scrollHeight;
  show();
}

/** Show both properties. No event tells of a change of bufferedAmount: one has to look. */
function show() {
  if (!socket) return;
  const { readyState, bufferedAmount } = socket;
  highest = Math.max(highest, bufferedAmount);
  $("readyState").textContent = `${readyState} ${STATES[readyState]}`;
  $("bufferedAmount").textContent = bufferedAmount.toLocaleString("en");
  $("highest").textContent = highest.toLocaleString("en");
  if ($("state").textContent === SENTENCES[readyState]) return; // a screen reader would say it again
  $("state").textContent = SENTENCES[readyState];
  $("state").dataset.state = ["busy", "on", "busy", "off"][readyState];
}

function look() {
  show();
  requestAnimationFrame(look);
}
look();

$("connect").addEventListener("click", () => {
  if (!socket || socket.readyState === WebSocket.CLOSED) connect();
});

$("closing").addEventListener("submit", (event) => {
  event.preventDefault();
  $("refused").textContent = "";
  const code = $("code").value.trim();
  try {
    // Without a code the reason has no place: the close frame is empty then.
    if (code) socket?.close(Number(code), $("reason").value);
    else socket?.close();
  } catch (error) {
    $("refused").textContent = error.message;
  }
  show();
});

$("text").addEventListener("submit", (event) => {
  event.preventDefault();
  send($("words").value);
});

$("binary").addEventListener("click", () => send(new Uint8Array([0, 1, 2, 3, 0xfc, 0xfd, 0xfe, 0xff])));

$("pieces").addEventListener("click", () => {
  for (let piece = 1; piece <= 20; piece += 1) send(new Uint8Array(10_000).fill(piece));
});

$("tooBig").addEventListener("click", () => send("x".repeat(1_000_000)));

// Only from here on is a click heard.
$("connect").disabled = false;
