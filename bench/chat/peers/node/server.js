// Node's `ws`: its documentation's broadcast, to everyone but the sender.
"use strict";

const { WebSocket, WebSocketServer } = require("ws");
const { version } = require("ws/package.json");

const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.argv[2] || 0), backlog: 1024 });

server.on("connection", (client) => {
  client.on("message", (data) => {
    const { username, msg } = JSON.parse(data);
    const sent = JSON.stringify({ username, msg });
    for (const other of server.clients) {
      if (other !== client && other.readyState === WebSocket.OPEN) other.send(sent);
    }
  });
});

server.on("listening", () => {
  console.log(`ws ${version} on Node ${process.version} at http://127.0.0.1:${server.address().port}`);
});
