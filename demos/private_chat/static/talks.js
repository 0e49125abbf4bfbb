// The conversations on the page of the private chat: what was said, in order, each message once.
// The lines are made by chat_lines.js of the group chat.
"use strict";

const me = document.body.dataset.me;
const keeps = Boolean(document.body.dataset.keeps); // the server keeps messages: they have ids
// What becomes of a message of ours, in this order.
const MARKS = { sent: "已发送", delivered: "已送达", read: "已读" };

const talks = new Map(); // name → the conversation with that user
let current = null; // the conversation on the screen
let since = 0; // greatest id of a message that this page has

/** Return the conversation with a user, a new one if there was none. */
function talkWith(name) {
  if (!talks.has(name)) {
    talks.set(name, {
      name,
      state: "", // as in the list of friends
      online: false,
      row: null, // in the list of people
      draft: "", // what was typed and not sent
      messages: [], // in the order of their ids
      loaded: false, // the newest messages were fetched
      fetching: false,
      more: false, // older ones can be fetched
      unread: 0, // as the server counts
      last: 0, // id of the last message in that number
      counted: 0, // what has a greater id came after the server counted
      seen: 0, // id of the last message that the user has seen
      confirmed: 0, // the same, as far as the server knows it
    });
  }
  return talks.get(name);
}

// --- What is said now ---

/** Return a message that the page has already. A client_id is unique for its author. */
function find(talk, { from, client_id }) {
  return talk.messages.find((each) => each.from === from && each.client_id === client_id);
}

/** Take a message in: a new one, or news of one that is here. Without a time it is to be sent. */
function put(talk, frame, past = false) {
  const known = find(talk, frame);
  const message = known ?? { ...frame, mark: "", line: null };
  if (!known) {
    const whose = frame.from === me ? "mine pending" : "theirs";
    message.line = makeLine(whose, frame.from, frame.msg, "");
    message.line.querySelector(".who").append(" ", element("span", "mark"));
  }
  if (!known || message.id !== frame.id) {
    message.id = frame.id;
    insert(talk, message, past);
  }
  if (frame.time) {
    message.read ||= frame.read;
    mark(message, frame.read ? "read" : frame.delivered ? "delivered" : "sent");
    showTime(message.line, frame.time);
  }
}

/** Put a message where its id belongs; what has none yet comes last. */
function insert(talk, message, past) {
  const messages = talk.messages.filter((each) => each !== message);
  const order = ({ id, after }) => id ?? after ?? Infinity;
  let at = messages.length;
  while (at && order(messages[at - 1]) > order(message)) at -= 1;
  talk.messages = messages.toSpliced(at, 0, message);
  const next = messages[at]?.line ?? null;
  if (talk !== current) return;
  if (past) $("lines").insertBefore(message.line, next);
  else place(message.line, next, Infinity);
}

/** Show what became of a message of ours. What was delivered is never again only sent. */
function mark(message, word) {
  const order = Object.keys(MARKS);
  if (message.from !== me || order.indexOf(word) <= order.indexOf(message.mark)) return;
  message.mark = word;
  message.line.classList.remove("pending", "failed");
  message.line.querySelector(".problem")?.remove();
  message.line.querySelector(".mark").replaceChildren(`${word} `, chinese(MARKS[word]));
}

/** Show when a message was sent; the day as well, if that is not today. */
function showTime(line, time) {
  setTime(line, time);
  const [day, today] = [new Date(time), new Date()].map((date) => date.toLocaleDateString());
  if (day !== today) line.querySelector("time").prepend(`${day} `);
}

/** Count what the user has not seen: by the server's number, and what came since. */
function unreadIn({ messages, unread, last, counted, seen }) {
  const isNew = ({ from, id, read }) => from !== me && !read && (id ?? Infinity) > counted;
  return messages.filter(isNew).length + (last > seen ? unread : 0);
}

// --- What was said before ---

/** Fetch a page of a conversation: the newest, later the one before the oldest that we have. */
async function fetchPast(talk) {
  if (talk.fetching) return;
  talk.fetching = true;
  const query = new URLSearchParams({ friend: talk.name });
  const oldest = talk.loaded && talk.messages.find(({ id }) => id);
  if (oldest) query.set("before", oldest.id);
  const { messages, more, reason } = await ask(`history?${query}`);
  talk.fetching = false;
  if (reason) return warn(`Earlier messages are missing. ${reason}`);
  const log = $("log");
  const { scrollHeight, scrollTop } = log;
  quietly(() => messages.forEach((frame) => put(talk, frame, true)));
  since = Math.max(since, ...messages.map(({ id }) => id));
  Object.assign(talk, { loaded: true, more });
  listPeople(); // something unread may have come this way
  if (talk !== current) return;
  // What the reader sees stays where it is.
  if (following) toEnd();
  else log.scrollTop = scrollTop + log.scrollHeight - scrollHeight;
  see();
}

/** Change the list without a screen reader reading it aloud: what is old is no news. */
function quietly(change) {
  $("log").setAttribute("aria-live", "off");
  change();
  requestAnimationFrame(() => $("log").setAttribute("aria-live", "polite"));
}

/** Keep the newest lines; the others can be fetched again. Who reads further up keeps them all. */
function forgetOldest(talk) {
  if (talk === current && !following) return;
  const excess = talk.messages.length - KEPT;
  if (excess <= 0) return;
  for (const { line } of talk.messages.splice(0, excess)) line.remove();
  talk.more = keeps;
}
