// Step 3: a page that connects by itself, and a list with our own lines on the right.
"use strict";

const $ = (id) => document.getElementById(id);
const LIMIT = Number(document.body.dataset.limit) || Infinity; // bytes in one frame, as the server says
const KEPT = 500; // lines in the list

// Beside the page, whatever host, path and protocol that has: http becomes ws, https becomes wss.
const address = new URL("ql", location.href);
address.protocol = address.protocol.replace("http", "ws");

let socket;
let failures = 0; // attempts in a row that did not succeed

function connect() {
  tell("busy", "Connecting…");
  socket = new WebSocket(address);
  socket.addEventListener("open", () => {
    failures = 0;
    warn("");
    tell("on", "Connected");
  });
  socket.addEventListener("message", ({ data }) => show("theirs", JSON.parse(data).msg));
  socket.addEventListener("close", ({ code, reason }) => {
    // Later each time, and not all at once.
    const seconds = Math.min(30, 2 ** failures) * (0.5 + Math.random() / 2);
    failures += 1;
    setTimeout(connect, seconds * 1000);
    tell("busy", `Not connected: ${reason || `code ${code}`}. Next attempt in ${Math.ceil(seconds)} s.`);
  });
}

/** Send what was typed, and show it as ours only then; what is not sent stays in the box. */
function say() {
  const msg = $("text").value;
  if (!msg.trim()) return;
  const frame = JSON.stringify({ msg });
  if (new TextEncoder().encode(frame).length > LIMIT) return warn("Too long: nothing was sent.");
  if (socket.readyState !== WebSocket.OPEN) return warn("Nothing was sent: there is no connection.");
  socket.send(frame);
  show("mine", msg);
  $("text").value = "";
  warn("");
}

/** Add a line; textContent keeps every character a character, also < and &. */
function show(whose, msg) {
  const line = document.createElement("li");
  const text = document.createElement("span");
  line.className = `line ${whose}`;
  text.className = "text";
  text.textContent = msg;
  const atEnd = $("log").scrollTop + $("log").clientHeight > $("log").scrollHeight - 40;
  line.append(text);
  $("lines").append(line);
  if ($("lines").childElementCount > KEPT) $("lines").firstElementChild.remove();
  if (atEnd || whose === "mine") $("log").scrollTop = $("log").scrollHeight;
}

function tell(state, sentence) {
  $("state").dataset.state = state;
  $("state").textContent = sentence;
}

function warn(sentence) {
  $("hint").textContent = sentence;
}

$("compose").addEventListener("submit", (event) => {
  event.preventDefault();
  say();
});
// A page that the browser puts aside, to show it again on "back", has no connection meanwhile.
addEventListener("pagehide", () => socket.close());
// On a phone the explanation would leave no room for the room.
$("design").open = matchMedia("(min-width: 48rem)").matches;
connect();

// Only from here on is a click heard.
$("send").disabled = false;
