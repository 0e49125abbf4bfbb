// Step 2: the race, drawn. In each lane time goes to the right, the server is above and the page below.
//
// A message is a line from when it was made to when this lane brought it. Ticks are requests. As soon as one
// lane brings a message, all know that it exists: where it has not arrived, it is drawn as waiting.
"use strict";

const SECONDS = 10; // that a lane shows
const SHOWN = 1000; // messages, and requests of a lane, that are kept at most

class Race {
  constructor(canvases) {
    this.lanes = new Map(canvases.map((canvas) => [canvas.dataset.race, { canvas, arrived: new Map(), asked: [] }]));
    this.made = new Map(); // id of a message → when it was made; all times are the page's, in ms
    this.frame = null;
  }

  /** Begin with empty lanes, and draw until the race is over. */
  start() {
    this.made.clear();
    for (const lane of this.lanes.values()) {
      lane.arrived.clear();
      lane.asked.length = 0;
    }
    this.ended = null;
    this.next();
  }

  /** Leave the lanes as they are now. */
  stop() {
    this.ended ??= now();
    cancelAnimationFrame(this.frame);
    this.frame = null;
    this.draw();
  }

  asked(name) {
    keep(this.lanes.get(name).asked, now());
  }

  heard(name, id, made) {
    this.made.set(id, made);
    this.lanes.get(name).arrived.set(id, now());
    if (this.made.size > SHOWN) {
      const [oldest] = this.made.keys();
      this.made.delete(oldest);
      for (const { arrived } of this.lanes.values()) arrived.delete(oldest);
    }
  }

  /** How many messages another lane has brought and this one has not. */
  waiting(name) {
    const { arrived } = this.lanes.get(name);
    return [...this.made.keys()].filter((id) => !arrived.has(id)).length;
  }

  next() {
    if (this.frame !== null) return;
    // Who wants no motion gets a picture a second.
    const pause = matchMedia("(prefers-reduced-motion: reduce)").matches ? 1000 : 0;
    this.frame = requestAnimationFrame(() => {
      this.draw();
      this.frame = null;
      if (this.ended === null) setTimeout(() => this.ended === null && this.next(), pause);
    });
  }

  draw() {
    const end = this.ended ?? now();
    const colours = { accent: colour("accent"), soft: colour("soft"), problem: colour("problem") };
    for (const lane of this.lanes.values()) this.drawLane(lane, end, colours);
  }

  drawLane({ canvas, arrived, asked }, end, colours) {
    const pen = canvas.getContext("2d");
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    const dots = devicePixelRatio;
    if (canvas.width !== Math.round(width * dots)) [canvas.width, canvas.height] = [width * dots, height * dots];
    pen.setTransform(dots, 0, 0, dots, 0, 0);
    pen.clearRect(0, 0, width, height);
    const x = (time) => width - 8 - ((end - time) / 1000) * (width / SECONDS);
    const [top, bottom] = [8, height - 22];

    // Upright and level lines on whole pixels are sharp.
    pen.fillStyle = colours.soft;
    pen.fillRect(0, top, width, 1);
    pen.fillRect(0, bottom, width, 1);
    for (const time of asked) if (x(time) > 0) pen.fillRect(Math.round(x(time)), bottom - 10, 2, 10);

    pen.lineWidth = 2;
    pen.font = "0.8rem system-ui";
    pen.textAlign = "center";
    let labelled = -Infinity;
    for (const [id, made] of this.made) {
      const here = arrived.get(id);
      if (x(here ?? end) < 0) continue;
      pen.strokeStyle = pen.fillStyle = here === undefined ? colours.problem : colours.accent;
      if (here === undefined) {
        ring(pen, x(made), top);
        line(pen, x(made), top, x(end), top); // it waits at the server
        continue;
      }
      line(pen, x(made), top, x(here), bottom);
      dot(pen, x(here), bottom);
      if (x(here) - labelled > 30) {
        pen.fillText(id, x(here), height - 4);
        labelled = x(here);
      }
    }
  }
}

/** A colour of the page as a canvas takes it: the key beneath the lanes has all of them. */
const colour = (name) => getComputedStyle(document.querySelector(`[data-colour="${name}"]`)).color;

function line(pen, x1, y1, x2, y2) {
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x2, y2);
  pen.stroke();
}

function dot(pen, x, y) {
  pen.beginPath();
  pen.arc(x, y, 4, 0, 2 * Math.PI);
  pen.fill();
}

function ring(pen, x, y) {
  pen.beginPath();
  pen.arc(x, y, 5, 0, 2 * Math.PI);
  pen.stroke();
}

function keep(list, value) {
  list.push(value);
  if (list.length > SHOWN) list.shift();
}
