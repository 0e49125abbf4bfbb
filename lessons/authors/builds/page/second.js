// The same page as one loop: connect, live, wait, and again.
"use strict";

const state = document.querySelector("#state");
const list = document.querySelector("#lines");
const field = document.querySelector("#text");
const open = new Map(); // client_id: text
let count = 0;
let now = null;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Live with one socket; resolve with the event `close`, and say whether it ever opened. */
function live() {
  return new Promise((resolve) => {
    let was = false;
    const socket = new WebSocket(new URL("/socket", location.href.replace(/^http/, "ws")));
    socket.onopen = () => {
      was = true;
      now = socket;
      state.textContent = "open";
      for (const [client_id, msg] of open) socket.send(JSON.stringify({ client_id, msg }));
    };
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data);
      const text = frame.msg ?? open.get(frame.ack);
      if (frame.ack) open.delete(frame.ack);
      if (text !== undefined) list.appendChild(document.createElement("li")).append(text);
    };
    socket.onclose = ({ code, reason }) => {
      now = null;
      resolve({ was, code, reason });
    };
  });
}

async function main() {
  for (let wait = 500; ; wait = Math.min(2 * wait, 30000)) {
    state.textContent = "connecting";
    const { was, code, reason } = await live();
    if (4400 <= code && code < 4500) {
      document.querySelector("#reason").append(reason);
      break;
    }
    if (was) wait = 500;
    state.textContent = "waiting";
    await sleep(wait);
  }
  state.textContent = "closed";
}

document.querySelector("#form").onsubmit = () => {
  const msg = field.value.trim();
  field.value = "";
  if (msg) {
    const client_id = `line ${(count += 1)}`;
    open.set(client_id, msg);
    now?.send(JSON.stringify({ client_id, msg }));
  }
  return false;
};

main();
