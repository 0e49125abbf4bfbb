// Step 1 (A11): a nickname, a recipient, a message. The connection is lasting_socket.js, the list
// chat_lines.js, the forms chat_form.js, all from the group chat. Nobody acknowledges anything here:
// what cannot leave now stays in the box.
"use strict";

const SERVER = "服务器"; // the name under which the server speaks
const LIMIT = Number(document.body.dataset.limit) || Infinity; // bytes in one frame, as the server says
let me = "";

const connection = new LastingSocket([], {
  address,
  connecting: () => show("busy", "Connecting…"),
  open() {
    connection.admit(0); // the server says nothing when it lets us in
    show("on", `Connected as ${me}`);
    $("to").focus();
  },
  frame: ({ from_user, msg }) => receive(from_user, msg),
  closed() {}, // one of the next two follows
  waiting(seconds, reason) {
    const what = "Not connected" + (reason && ` (${reason})`);
    show("busy", `${what}. Next attempt in ${Math.ceil(seconds)} s.`);
  },
  ended(code, reason) {
    show("off", "Not connected");
    refuse(reason || "Please choose another nickname.");
  },
});

/** Return the socket's address: the nickname, beside the page's own address. */
function address() {
  const url = new URL(encodeURIComponent(me), location.href);
  url.protocol = url.protocol.replace("http", "ws");
  return url;
}

/** Show a message on the left, and offer its sender as the next recipient. */
function receive(from, msg) {
  place(makeLine("theirs", from, msg, new Date().toISOString()));
  if (from !== SERVER && !$("to").value) $("to").value = from;
}

/** Send a message, and show it on the right. Returns false, and says why, if it cannot leave. */
function say(to_user, msg) {
  const frame = JSON.stringify({ msg, to_user });
  if (!connection.wanted) {
    $("nickname").focus();
    return warn("Nothing was sent: first choose a nickname and connect.");
  }
  if (!to_user || !msg.trim()) {
    $(to_user ? "text" : "to").focus();
    return warn(to_user ? "" : "Nothing was sent: write a name into the field To.");
  }
  if (new TextEncoder().encode(frame).length > LIMIT) return warn("Too long: nothing was sent.");
  if (!connection.send(frame)) return warn("Nothing was sent: there is no connection.");
  const line = makeLine("mine", me, msg, new Date().toISOString());
  line.querySelector("time").before("→ ", element("bdi", "", to_user), " ");
  place(line);
  following = true;
  warn("");
  return true;
}

/** Show the connection's state in words, and the parts of the page that go with it. */
function show(state, sentence) {
  showState(state, sentence);
  $("join").hidden = connection.wanted && state === "on";
  $("leave").hidden = !connection.wanted;
  $("nickname").readOnly = connection.wanted;
  refuse("");
}

$("join").addEventListener("submit", (event) => {
  event.preventDefault();
  if (connection.wanted) return;
  me = $("nickname").value.trim();
  // In an address, dots are steps in the path.
  if (["", ".", ".."].includes(me)) refuse("Please type a nickname.");
  else connection.start();
});

$("leave").addEventListener("click", () => {
  connection.stop();
  show("off", "Not connected: you have left");
  $("nickname").focus();
});

$("compose").addEventListener("submit", (event) => {
  event.preventDefault();
  if (say($("to").value.trim(), $("text").value)) $("text").value = "";
});

// Only from here on is a click heard.
$("connect").disabled = false;
