// Your reconnecting page: a script that keeps a connection.
//
// The judge opens this page in Chromium, with this file as its script:
//
//   <p id="state"></p>  <p id="reason"></p>  <ul id="lines"></ul>
//   <form id="form"><input id="text"><button>Send</button></form>
//
// - The socket is at /socket of the host that the page came from (location.host).
// - #state always has one of these words, and nothing else: connecting, open, waiting, closed.
// - The server sends {"msg": "你好"}: a line that somebody else has said. It goes into #lines, as an <li>.
// - The form sends {"msg": "你好", "client_id": "a1"}. You make the id: another one for each line.
// - The server answers {"ack": "a1"}: the line was said. Only then it goes into #lines.
// - If the connection breaks, or the server closes it, the page waits and connects again. The first
//   wait is about half a second; each is about twice as long as the one before, up to half a minute.
// - The close codes 4400 to 4499 mean: do not come back. #state is `closed` then, and #reason has the
//   server's reason.
// - Typed lines are never lost: what was not acknowledged is sent again, in order, with the same id.
// - An error that the script raises and does not catch is a fault, at every goal.
"use strict";
