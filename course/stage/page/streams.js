// What the stage tells, live, for all tabs together: a browser has six connections to a host, and no more.

"use strict";

/** A stream as EventSource has it, which this tab shares with all others (streams_worker.js). */
class SharedStream extends EventTarget {
  static #worker = null;
  static #open = new Set();

  /** Open a stream: shared, or this tab's own where the browser cannot share. */
  static open(path) {
    return "SharedWorker" in window ? new SharedStream(path) : new LastingStream(path);
  }

  static #tell(what) {
    if (!this.#worker) {
      this.#worker = new SharedWorker("static/streams_worker.js");
      this.#worker.port.addEventListener("message", ({ data }) => this.#hear(data));
      this.#worker.port.start();
      addEventListener("pagehide", () => this.#tell({ leave: true }));
      addEventListener("pageshow", ({ persisted }) => {
        // Back from the browser's memory.
        if (persisted) for (const stream of this.#open) this.#tell({ open: stream.path });
      });
    }
    this.#worker.port.postMessage(what);
  }

  static #hear({ path, type, data }) {
    for (const stream of this.#open)
      if (stream.path === path) stream.dispatchEvent(new MessageEvent(type, { data }));
  }

  constructor(path) {
    super();
    this.path = path;
    SharedStream.#open.add(this);
    SharedStream.#tell({ open: path });
  }

  close() {
    SharedStream.#open.delete(this);
    SharedStream.#tell({ close: this.path });
  }
}
