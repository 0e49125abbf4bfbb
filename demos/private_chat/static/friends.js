// Friends (B5): the page fetches the list and builds it by itself; requests, answers, blocks.
"use strict";

let asked = 0; // fetches so far; only the answer to the last one counts
let answered = 0;
let moving = false; // a change is under way

hear.friends = fetchFriends;
hear.presence = presence;

// What has changed while there was no connection, nobody has told us.
hear.welcome = (frame) => {
  welcome(frame);
  fetchFriends();
};

hear.beat = () => {
  beat();
  if (answered !== asked) fetchFriends(); // the last one failed
};

async function fetchFriends() {
  const number = (asked += 1);
  const counted = since; // what is here now is in the server's numbers, or was read
  const { friends, reason } = await ask("friends");
  if (number !== asked) return;
  $("none").textContent = reason || "You have no friends here yet.";
  if (reason) return;
  answered = number;
  for (const talk of talks.values()) talk.state = "";
  for (const { name, state, online, unread, last } of friends) {
    const numbers = { unread, last, counted: Math.max(counted, last) };
    Object.assign(talkWith(name), { state, online, ...numbers });
  }
  listPeople();
  see();
}

function presence({ name, online }) {
  talkWith(name).online = online;
  listPeople();
  if (answered !== asked) fetchFriends(); // its answer may be older than this
}

/** Ask for a change; the server tells all pages of both users to fetch their lists again. */
async function move(name, url) {
  if (moving) return;
  moving = true;
  const { reason } = await ask(url, { name });
  moving = false;
  $("answer").textContent = reason;
  $("who").setAttribute("aria-invalid", Boolean(reason));
  if (!reason) $("who").value = "";
}

/** Make the row of somebody who is no friend: a request, ours or theirs, or a block. */
function requestRow(talk) {
  const row = element("li", "request");
  const name = element("span", "name");
  name.append(element("bdi", "", talk.name));
  const state = element("span", "presence");
  tell(state, talk);
  row.append(name, " ", state);
  const buttons = {
    asks: [
      ["accept", "Accept", "接受"],
      ["decline", "Decline", "拒绝"],
      ["block", "Block", "屏蔽"],
    ],
    asked: [["remove", "Take back", "撤回"]],
    blocked: [["unblock", "Unblock", "解除"]],
  };
  for (const [what, english, words] of buttons[talk.state]) {
    const button = element("button", what === "accept" ? "" : "quiet", `${english} `);
    button.type = "button";
    button.append(chinese(words));
    button.setAttribute("aria-label", `${english} ${talk.name}`);
    button.addEventListener("click", () => move(talk.name, `friends/${what}`));
    row.append(button);
  }
  return row;
}

for (const what of ["remove", "block"])
  $(what).addEventListener("click", () => {
    $("menu").open = false;
    move(current.name, `friends/${what}`);
  });
