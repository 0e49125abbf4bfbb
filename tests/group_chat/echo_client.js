// Visits an echo server as a program of Node's `ws` would: node echo_client.js ws://… < words.json
// Prints what came back as JSON.

const { once } = require("node:events");
const fs = require("node:fs");
const WebSocket = require("ws");

const url = process.argv[2];
const tooMuchIs = Number(process.argv[3]); // bytes
const words = JSON.parse(fs.readFileSync(0, "utf8"));

async function visit(talk) {
  const socket = new WebSocket(url);
  await once(socket, "open");
  const ended = once(socket, "close");
  const said = await talk(socket);
  const [code, reason] = await ended;
  return { said, code, reason: reason.toString() };
}

async function answer(socket) {
  const [data, isBinary] = await once(socket, "message");
  return isBinary ? [...data] : data.toString();
}

async function everything(socket) {
  const said = { texts: [] };
  for (const text of words) {
    const heard = answer(socket);
    socket.send(text);
    said.texts.push(await heard);
  }
  let heard = answer(socket);
  socket.send(Buffer.from([0, 255, 128]));
  said.bytes = await heard;

  heard = answer(socket);
  socket.send("in ", { fin: false });
  socket.send("pieces", { fin: true });
  said.pieces = await heard;

  heard = once(socket, "pong");
  socket.ping("are you there?");
  said.pong = (await heard).toString();

  socket.close(4999, "再见");
  return said;
}

async function tooMuch(socket) {
  socket.send("x".repeat(tooMuchIs));
}

(async () => {
  console.log(JSON.stringify([await visit(everything), await visit(tooMuch)]));
})();
