// Who one can write to, on the page of the private chat, and which conversation is on the screen.
"use strict";

const title = document.title;
const withFriends = Boolean(document.body.dataset.friends);
const ORDER = ["asks", "accepted", "asked", "blocked"]; // states of a person, in the list's order
const WORDS = {
  online: ["online", "在线"],
  away: ["away", "离开"],
  asks: ["wants to be your friend", "请求加为好友"],
  asked: ["has not answered yet", "等待回应"],
  blocked: ["blocked by you", "已屏蔽"],
  "": ["not a friend", "不是好友"],
};

// --- The list ---

/** Build the list: for each person a row, which is the same one as long as the state is. */
function listPeople() {
  const people = [...talks.values()].filter(({ state }) => state);
  const place = ({ state }) => ORDER.indexOf(state);
  people.sort((a, b) => place(a) - place(b) || a.name.localeCompare(b.name));
  const list = $("people");
  const focus = list.contains(document.activeElement) && document.activeElement;
  const person = focus && people.find(({ row }) => row?.contains(focus));
  const rows = people.map(rowOf);
  const same = (row, at) => row === list.children[at];
  if (list.childElementCount !== rows.length || !rows.every(same)) list.replaceChildren(...rows);
  // Whoever is in the list with the keyboard stays with the same person.
  if (focus?.isConnected) focus.focus();
  else if (focus) (person?.row.querySelector("a, button") ?? $("who")).focus();

  const unread = people.reduce((sum, each) => sum + unreadIn(each), 0);
  document.title = unread ? `(${unread}) ${title}` : title;
  showRecipients();
  if (!current) return;
  tell($("presence"), current);
  if (withFriends) $("menu").hidden = current.state !== "accepted";
}

function rowOf(talk) {
  if (talk.row?.dataset.state !== talk.state) {
    talk.row = talk.state === "accepted" ? personRow(talk) : requestRow(talk);
    talk.row.dataset.state = talk.state;
  }
  if (talk.state === "accepted") fill(talk);
  return talk.row;
}

/** Make the row of somebody to whom one can write. */
function personRow(talk) {
  const row = element("li", "person");
  const tick = element("input");
  tick.type = "checkbox";
  tick.setAttribute("aria-label", `Also write to ${talk.name}`);
  tick.addEventListener("change", showRecipients);
  const link = element("a");
  link.href = addressOf(talk.name);
  const parts = ["name", "presence", "unread"].map((part) => element("span", part));
  parts[0].append(element("bdi", "", talk.name));
  link.append(parts[0], " ", parts[1], " ", parts[2]);
  row.append(tick, link);
  return row;
}

/** Show in the row what may have changed. */
function fill(talk) {
  const part = (name) => talk.row.querySelector(name);
  part("a").setAttribute("aria-current", talk === current);
  tell(part(".presence"), talk);
  const unread = unreadIn(talk);
  part(".unread").textContent = unread ? `${unread} new` : "";
}

/** Say how somebody stands to us, in words. Before there are friends, nobody knows. */
function tell(node, { state, online }) {
  if (!withFriends) return;
  const which = state === "accepted" ? (online ? "online" : "away") : state;
  if (node.dataset.which === which) return; // or a screen reader would say it again
  node.dataset.which = which;
  const [english, words] = WORDS[which];
  node.replaceChildren(`${english} `, chinese(words));
}

// --- The conversation on the screen ---

/** Return the address of a conversation: the part after the #, so that "back" and reload work. */
function addressOf(name) {
  return `#${new URLSearchParams({ with: name })}`;
}

/** Show the conversation that the address names, or only the list. */
function route() {
  const name = new URLSearchParams(location.hash.slice(1)).get("with");
  const before = current;
  if (before) {
    before.draft = $("text").value;
    untick();
  }
  current = name ? talkWith(name) : null;
  if (current && !withFriends) current.state = "accepted";
  $("messenger").classList.toggle("talking", Boolean(current));
  $("talk").hidden = !current;
  $("nobody").hidden = Boolean(current);
  listPeople();
  if (current) showTalk();
  else before?.row?.querySelector("a, button")?.focus();
}

function showTalk() {
  $("with").textContent = current.name;
  $("text").value = current.draft;
  warn("");
  $("newer").hidden = true;
  quietly(() => $("lines").replaceChildren(...current.messages.map(({ line }) => line)));
  following = true;
  toEnd();
  beat(); // fetches what was said before
  see();
  // On a phone the box would bring the keyboard up.
  $(matchMedia("(pointer: coarse)").matches ? "log" : "text").focus();
}

// --- To whom a message goes: the person on the screen, and those who are ticked ---

function ticks() {
  const others = [...talks.values()].filter((talk) => talk !== current && talk.row);
  return others.filter(({ row }) => row.isConnected && row.querySelector(":checked"));
}

function untick() {
  for (const { row } of ticks()) row.querySelector("input").checked = false;
  showRecipients();
}

function recipients() {
  return [current, ...ticks()].map(({ name }) => name);
}

/** Say above the message box to whom it goes, if that is more than one. */
function showRecipients() {
  $("several").hidden = !current || !ticks().length;
  if ($("several").hidden) return;
  $("to").textContent = `To ${recipients().join(", ")}`;
  $("only").textContent = `Only ${current.name}`;
}

$("only").addEventListener("click", () => {
  untick();
  $("text").focus();
});

$("add").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = $("who").value.trim();
  if (!name) return;
  if (withFriends) return move(name, "add_friends");
  location.hash = addressOf(name);
  $("who").value = "";
});

addEventListener("hashchange", route);

/** Begin: in step 3 with the names that came with the page, later with the list of friends. */
function startList() {
  for (const name of JSON.parse(document.body.dataset.names)) talkWith(name).state = "accepted";
  route();
}
