// A WebSocket that comes back: after a fault or silence, and when network or reader return.
"use strict";

// What a close code asks of a page (docs/wire-formats.md). All others: connect again soon; also after
// 1001, which says that the server goes away (a page that leaves needs no code: its script ends).
const STAY_AWAY = [1000, 4001, 4400, 4401, 4409];
const LATER = [1008, 1013];

/**
 * One WebSocket at a time, to one address, as long as it is wanted. It calls the functions in `on`:
 *
 *   address()             where to connect: a URL
 *   connecting()          an attempt begins
 *   open()                the socket is open
 *   frame(object)         a frame came, parsed from JSON
 *   closed(code, reason)  the connection is gone; one of the next two follows
 *   waiting(seconds)      until the next attempt
 *   ended(code, reason)   there will be none: the code says so
 */
class LastingSocket {
  wanted = false; // between `start` and the end
  #socket = null;
  #admitted = 0; // when the server let this socket in, in ms; 0: not yet
  #failures = 0; // connections in a row that ended soon
  #patience = 0; // seconds of silence until the connection counts as dead; 0: any number
  #silence = 0; // timers
  #retry = 0;

  constructor(protocols, on) {
    this.protocols = protocols;
    this.on = on;
    addEventListener("online", () => this.hurry());
    addEventListener("pageshow", () => this.hurry()); // back from the browser's memory
    document.addEventListener("visibilitychange", () => document.hidden || this.hurry());
    addEventListener("pagehide", () => this.#drop()); // the server hears at once that we left
  }

  /** Connect, and stay connected. Started already: do nothing. */
  start() {
    if (this.wanted) return;
    this.wanted = true;
    this.#failures = 0;
    this.#open();
  }

  /** Close, and stay away. */
  stop() {
    this.wanted = false;
    clearTimeout(this.#retry);
    this.#drop();
  }

  /** The server has let us in, and sends something every `beat` seconds or sooner (0: or later). */
  admit(beat) {
    this.#admitted = Date.now();
    this.#hearWithin(2.5 * beat);
  }

  /** Send a text. Returns false if there is no connection that was let in. */
  send(text) {
    if (!this.#admitted || this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(text);
    return true;
  }

  /** Do not wait for the next attempt. */
  hurry() {
    if (!this.wanted || this.#socket) return;
    this.#failures = 0;
    this.#open();
  }

  #open() {
    clearTimeout(this.#retry);
    this.on.connecting();
    const socket = (this.#socket = new WebSocket(this.on.address(), this.protocols));
    this.#admitted = 0;
    this.#hearWithin(10);
    // A socket that we gave up may still speak: only the current one is heard.
    const when = (type, act) =>
      socket.addEventListener(type, (event) => socket === this.#socket && act(event));
    when("open", () => this.on.open());
    when("message", (event) => {
      this.#hearWithin(this.#patience);
      this.on.frame(JSON.parse(event.data));
    });
    when("close", (event) => this.#closed(event.code, event.reason));
  }

  /** Count the seconds of silence from now on. Too many of them: the connection is dead. */
  #hearWithin(seconds) {
    this.#patience = seconds;
    clearTimeout(this.#silence);
    if (!seconds) return;
    this.#silence = setTimeout(() => {
      this.#drop();
      this.#closed(1006, "nothing was heard");
    }, seconds * 1000);
  }

  /** Give up the socket without waiting for an answer: a dead connection gives none. */
  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    clearTimeout(this.#silence);
    socket?.close(1000);
  }

  #closed(code, reason) {
    this.#socket = null;
    clearTimeout(this.#silence);
    this.on.closed(code, reason);
    if (STAY_AWAY.includes(code)) {
      this.wanted = false;
      this.on.ended(code, reason);
      return;
    }
    if (this.#admitted && Date.now() - this.#admitted > 10_000) this.#failures = 0;
    if (LATER.includes(code)) this.#failures = Math.max(this.#failures, 4);
    // Back-off with jitter: all pages lost the server at once, and must not come back at once.
    const delay = Math.min(30, 0.5 * 2 ** this.#failures) * (0.5 + Math.random() / 2);
    this.#failures += 1;
    this.#retry = setTimeout(() => this.#open(), delay * 1000);
    this.on.waiting(delay, reason);
  }
}
