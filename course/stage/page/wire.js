// The wire of a step: each frame as it passes, what was counted, and a frame or a handshake opened up.
//
// Events come from the taps in front of the step, by way of the stage. What is drawn is sampled: a few lines for
// each frame of the screen, and the newest only. What is counted is not: those figures are the taps' own.

"use strict";

{
  const { takeApart, bits, hex, count, nameOf } = Wire; // wire_frame.js
  const AT_ONCE = 20; // lines drawn for each frame of the screen
  const KEPT = 500; // lines in the list
  const GATHER = 150; // ms to wait before lines are drawn, so that those of several taps come in their order

  // What the headers of a handshake are for.
  const HEADERS = {
    "upgrade": said("which protocol to go on with"),
    "connection": said("says that Upgrade is for the next server, and not to be passed on"),
    "sec-websocket-key": said("16 bytes drawn by the client"),
    "sec-websocket-accept": said("SHA-1 of that key and a text from RFC 6455: the server has understood"),
    "sec-websocket-version": said("13 is the one of RFC 6455"),
    "sec-websocket-protocol": said("what both will speak over the frames"),
    "sec-websocket-extensions": said("offered, and used only if the answer names them"),
    "origin": said("whose page asks; a server refuses foreign ones"),
    "cookie": said("who the client is"),
  };

  // How a connection has ended: by whom, and after how many bytes.
  const ENDED = {
    step: (up, down) => said("ended by the step: {0} bytes to the step, {1} bytes to the page", up, down),
    client: (up, down) => said("ended by the client: {0} bytes to the step, {1} bytes to the page", up, down),
    tap: (up, down) => said("ended by the tap: {0} bytes to the step, {1} bytes to the page", up, down),
  };

  class WirePanel extends HTMLElement {
    connectedCallback() {
      if (!this.firstChild) this.build();
      // A panel that nobody sees has no stream.
      this.watcher = new ResizeObserver(() => this.connect());
      this.watcher.observe(this);
    }

    disconnectedCallback() {
      this.watcher.disconnect();
      this.disconnect();
    }

    build() {
      this.append(document.getElementById("wire-panel").content.cloneNode(true));
      const part = (name) => this.querySelector(`.wire-${name}`);
      this.parts = {
        details: this.firstElementChild, client: part("client"), kind: part("kind"), pause: part("pause"),
        state: part("state"), list: part("list"), opened: part("opened"), inside: part("parts"),
        lines: part("lines").tBodies[0], counts: part("counts").tBodies[0],
      };
      this.forget();
      this.parts.details.addEventListener("toggle", () => this.connect());
      this.parts.client.addEventListener("change", () => this.drawAnew());
      this.parts.kind.addEventListener("change", () => this.drawAnew());
      this.parts.pause.addEventListener("click", () => this.pause(!this.paused));
      part("clear").addEventListener("click", () => {
        this.kept = [];
        this.drawAnew();
      });
      this.parts.lines.addEventListener("click", ({ target }) => this.open(target.closest("tr")));
      part("shut").addEventListener("click", () => this.shut());
      this.addEventListener("keydown", (event) => {
        if (event.key !== "Escape" || this.parts.opened.hidden) return;
        event.stopPropagation();
        this.shut();
      });
    }

    // --- The stream ---

    connect() {
      if (!this.parts.details.open || !this.offsetWidth) {
        this.disconnect();
      } else if (!this.stream) {
        const { source } = this.dataset;
        // The stage's tabs share one (streams.js); another page has its own.
        const shares = typeof SharedStream !== "undefined";
        this.stream = shares ? SharedStream.open(source) : new EventSource(source);
        // Each begins with what the stage has kept, also when it comes back after a break.
        this.stream.addEventListener("open", () => this.forget());
        this.stream.addEventListener("message", ({ data }) => this.hear(JSON.parse(data)));
        this.stream.addEventListener("error", () => this.tell(said("The stage does not answer.")));
        this.stream.addEventListener("refused", () =>
          this.tell(said("Too many pages are open at the moment. This one tries again by itself.")),
        );
      }
    }

    disconnect() {
      this.stream?.close();
      this.stream = null;
    }

    forget() {
      this.kept = [];
      this.left = 0; // events that were too many to list
      this.paused ??= false;
      this.drawAnew();
      this.parts.counts.replaceChildren();
    }

    hear(event) {
      this.nameClient(event.client);
      if (event.kind === "count") {
        this.count(event);
        return;
      }
      insert(this.kept, event);
      if (this.kept.length > KEPT) this.kept.shift();
      if (this.paused || !this.isWanted(event)) return;
      insert(this.waiting, event);
      if (this.waiting.length > KEPT) {
        this.waiting.shift();
        this.left += 1;
      }
      this.drawSoon();
    }

    nameClient(name) {
      if ([...this.parts.client.options].some((option) => option.value === name)) return;
      this.parts.client.add(new Option(name, name));
    }

    // --- The figures ---

    count({ client, up, down, requests, connections, unshown }) {
      let row = [...this.parts.counts.rows].find((one) => one.dataset.client === client);
      if (!row) {
        row = this.parts.counts.insertRow();
        row.dataset.client = client;
        row.append(cell("th", client, "client"));
        row.firstChild.scope = "row";
        for (let column = 0; column < 7; column += 1) row.insertCell();
      }
      const figures = [up.frames, down.frames, up.bytes, down.bytes, requests, connections, unshown];
      figures.forEach((figure, at) => (row.cells[at + 1].textContent = figure.toLocaleString("en")));
      row.cells[1].title = kinds(up.opcodes);
      row.cells[2].title = kinds(down.opcodes);
    }

    tell(sentence) {
      if (this.parts.state.textContent !== sentence) this.parts.state.textContent = sentence;
    }

    // --- The list ---

    isWanted(event) {
      const [client, kind] = [this.parts.client.value, this.parts.kind.value];
      return (!client || event.client === client) && (!kind || groupsOf(event).includes(kind));
    }

    pause(paused) {
      this.paused = paused;
      this.parts.pause.setAttribute("aria-pressed", paused);
      if (!paused) this.drawAnew();
      this.tell(paused ? said("Paused. It is counted on.") : "");
    }

    /** Draw the list from what is kept, as when another choice was made. */
    drawAnew() {
      this.parts.lines.replaceChildren();
      this.waiting = this.kept.filter((event) => this.isWanted(event));
      this.tell("");
      this.drawSoon();
    }

    drawSoon() {
      this.drawing ??= setTimeout(() => requestAnimationFrame(() => this.draw()), GATHER);
    }

    draw() {
      const { list, lines } = this.parts;
      const following = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
      lines.append(...this.waiting.splice(0, AT_ONCE).map(rowOf));
      while (lines.rows.length > KEPT) lines.rows[0].remove();
      if (following) list.scrollTop = list.scrollHeight;
      if (this.left) this.tell(said("{0} came too fast to be listed.", this.left.toLocaleString("en")));
      this.drawing = this.waiting.length ? requestAnimationFrame(() => this.draw()) : null;
    }

    // --- One of them, opened ---

    open(row) {
      if (!row?.wire.raw && !row?.wire.headers) return;
      this.origin?.querySelector("button").setAttribute("aria-expanded", "false");
      this.origin = row;
      row.querySelector("button").setAttribute("aria-expanded", "true");
      const { opened, inside } = this.parts;
      opened.querySelector("h3").textContent = titleOf(row.wire);
      inside.replaceChildren(...(row.wire.headers ? headersOf(row.wire) : bitsOf(row.wire)));
      opened.hidden = false;
      opened.focus();
    }

    shut() {
      this.parts.opened.hidden = true;
      const button = this.origin.querySelector("button");
      button.setAttribute("aria-expanded", "false");
      // The line may have left the list meanwhile.
      (button.isConnected ? button : this.parts.pause).focus();
    }
  }

  /** Add an event where its time belongs; mostly that is the end. */
  function insert(events, event) {
    let at = events.length;
    while (at && events[at - 1].t > event.t) at -= 1;
    events.splice(at, 0, event);
  }

  // --- Words ---

  /** The kinds by which an event can be chosen. */
  function groupsOf({ kind, name }) {
    if (kind === "frame") return ["frames", name];
    return [kind === "request" || kind === "response" ? "http" : "connections"];
  }

  /** What stands in the columns of opcode and payload for what is not a frame. */
  function wordsOf(event) {
    const amount = (number) => number.toLocaleString("en");
    return {
      request: () => [said("request"), event.line],
      response: () => [said("answer"), event.line],
      open: () => [said("connection"), said("opened")],
      close: () => [said("connection"), ENDED[event.by](amount(event.up), amount(event.down))],
      unreadable: () => [said("unreadable"), said("{0}: what follows passes without being read", event.why)],
      unreachable: () => [said("connection"), said("the step does not answer")],
    }[event.kind]?.() ?? [event.kind, ""];
  }

  function titleOf(event) {
    const way = event.direction === "up" ? said("{0}, to the step", event.client) : said("{0}, to the page", event.client);
    if (event.headers) return said("{0} ({1})", event.line, way);
    return said("A {0} frame of {1} ({2})", nameOf(event.name), count(event.header + event.length), way);
  }

  const kinds = (opcodes) => Object.entries(opcodes).map(([name, number]) => said("{0}: {1}", nameOf(name), number)).join(said(", "));

  function payloadOf(event) {
    const code = event.code ? `${event.code} ` : "";
    return `${code}${event.payload}${event.cut ? "…" : ""}`;
  }

  // --- Elements ---

  function cell(name, text, kind = "") {
    const made = document.createElement(name);
    made.className = kind;
    // Names and payloads come from anywhere: text only, and no direction of writing for their neighbours.
    const inside = document.createElement("bdi");
    inside.textContent = text;
    made.append(inside);
    return made;
  }

  function rowOf(event) {
    const row = document.createElement("tr");
    row.wire = event;
    row.dataset.kind = event.kind;
    if (event.direction) row.dataset.direction = event.direction;
    const isFrame = event.kind === "frame";
    const [what, text] = isFrame ? [nameOf(event.name), payloadOf(event)] : wordsOf(event);
    const to = { up: said("step ▸"), down: said("◂ page") }[event.direction] ?? "";
    const opcode = cell("td", "", "what");
    if (event.raw || event.headers) {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-expanded", "false");
      button.textContent = isFrame ? `0x${event.opcode.toString(16)} ${what}${event.fin ? "" : " …"}` : what;
      opcode.replaceChildren(button);
    } else {
      opcode.textContent = what;
    }
    row.append(
      cell("td", new Date(event.t).toTimeString().slice(0, 8) + (event.t % 1000 / 1000).toFixed(3).slice(1, 5), "time"),
      cell("td", event.client, "client"),
      cell("td", to, "to"),
      opcode,
      cell("td", isFrame ? event.mask ?? said("no") : "", "mask"),
      cell("td", isFrame ? event.length.toLocaleString("en") : "", "length"),
      cell("td", text, "payload"),
    );
    return row;
  }

  function table(caption, heads, rows, kind = "") {
    const made = document.createElement("table");
    made.className = kind;
    made.createCaption().textContent = caption;
    const head = made.createTHead().insertRow();
    for (const text of heads) {
      const title = cell("th", text);
      title.scope = "col";
      head.append(title);
    }
    const body = made.createTBody();
    for (const [name, ...texts] of rows) {
      const row = body.insertRow();
      const title = cell("th", name);
      title.scope = "row";
      row.append(title, ...texts.map((text) => cell("td", text)));
    }
    return made;
  }

  function headersOf({ headers, changed }) {
    const found = [table(said("Headers"), [said("Header"), said("Value"), said("What for")], headers.map(([name, value]) => [name, value, HEADERS[name.toLowerCase()] ?? ""]))];
    if (changed) found.push(paragraph(said("The tap has changed frame-ancestors here, so that the stage may show the page.")));
    return found;
  }

  function bitsOf(frame) {
    const { fields, bytes } = takeApart(frame);
    const found = [table(said("The header"), [said("Field"), said("Byte"), said("Bits"), said("Says")], fields, "bits")];
    if (bytes.length) {
      const heads = frame.mask
        ? [said("Byte"), said("On the wire"), said("in hex"), said("Key"), said("Byte XOR key"), said("in hex"), said("Character")]
        : [said("Byte"), said("On the wire"), said("in hex"), said("Character")];
      const rows = bytes.map((one) => {
        const plain = [bits(one.plain, 8), hex(one.plain, 2)];
        return frame.mask
          ? [`${one.place}`, bits(one.sent, 8), hex(one.sent, 2), hex(one.key, 2), ...plain, one.character]
          : [`${one.place}`, ...plain, one.character];
      });
      found.push(table(frame.mask ? said("The payload, and the mask undone") : said("The payload"), heads, rows, "bits"));
    }
    if (bytes.length < frame.length) found.push(paragraph(said("The first {0} of {1} of payload are shown.", bytes.length, count(frame.length))));
    return found;
  }

  function paragraph(text) {
    const made = document.createElement("p");
    made.textContent = text;
    return made;
  }

  customElements.define("wire-panel", WirePanel);
}
