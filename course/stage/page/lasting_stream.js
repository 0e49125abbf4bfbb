// A stream of events that tries again also where the browser does not: when the stage has too many streams.

"use strict";

const AGAIN = 2000; // ms until a stream that was refused is asked for again

/** Tells "open", "message" and "error" as an EventSource does, and "refused". */
class LastingStream extends EventTarget {
  #path;
  #source = null;
  #timer = 0;

  constructor(path) {
    super();
    this.#path = path;
    this.#begin();
  }

  close() {
    clearTimeout(this.#timer);
    this.#source.close();
  }

  #begin() {
    const source = (this.#source = new EventSource(this.#path));
    source.addEventListener("open", () => this.dispatchEvent(new Event("open")));
    source.addEventListener("message", ({ data }) => this.dispatchEvent(new MessageEvent("message", { data })));
    source.addEventListener("error", () => {
      // After an answer that is no stream, the browser does not ask again.
      const isOver = source.readyState === EventSource.CLOSED;
      if (isOver) this.#timer = setTimeout(() => this.#begin(), AGAIN);
      this.dispatchEvent(new Event(isOver ? "refused" : "error"));
    });
  }
}
