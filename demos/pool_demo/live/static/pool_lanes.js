// Draws the lanes on a canvas: a column for each moment, the newest on the right.
//
// A column is two strings, one for the connections and one for the callers, with a letter for each row.
// What is drawn already is moved to the left as an image, so a frame costs the same however long it runs.
"use strict";

const COLUMN_SECONDS = 0.01;
const MOST = 2400; // columns that are kept; one of them is a CSS pixel wide
const GUTTER = 104; // CSS pixels for the names of the rows
const TALLEST = 26; // CSS pixels of a row
const HEIGHT = 620; // CSS pixels for all rows, as long as each still has two
const GAP = 14; // between connections and callers

class Lanes {
  #canvas;
  #legend;
  #pen;
  #colours = {};
  #history = []; // columns, oldest first
  #pending = []; // those that are not drawn yet
  #counts = [0, 0]; // rows of connections, of callers
  #labels = [];
  #wrong = new Set();
  #clients = 0;
  #isStale = true; // everything has to be drawn anew

  constructor(canvas, legend) {
    this.#canvas = canvas;
    this.#legend = legend;
    this.#pen = canvas.getContext("2d", { alpha: false });
    new ResizeObserver(() => this.#redraw()).observe(canvas.parentElement);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#redraw());
    const draw = () => {
      this.#draw();
      requestAnimationFrame(draw);
    };
    requestAnimationFrame(draw);
  }

  /** How many seconds fit. */
  get seconds() {
    return this.#places * COLUMN_SECONDS;
  }

  /** Begin anew, with rows for so many connections and clients. */
  begin(connections, clients) {
    this.#history = [];
    this.#counts = [connections, clients];
    this.#clients = clients;
    this.#labels = [];
    this.#redraw();
  }

  /** Take new columns, the connection of each row, and those about which the server disagrees. */
  add(columns, labels, wrong) {
    for (const column of columns) {
      column.forEach((rows, part) => {
        if (rows.length > this.#counts[part]) {
          this.#counts[part] = rows.length;
          this.#redraw();
        }
      });
    }
    this.#pending.push(...columns);
    if (this.#pending.length > MOST) this.#pending.splice(0, this.#pending.length - MOST);
    this.#labels = labels;
    this.#wrong = new Set(wrong);
  }

  #redraw() {
    this.#isStale = true;
  }

  // --- Sizes, in pixels of the canvas ---

  #scale = 1;
  #width = 1; // of a column
  #height = 1; // of a row
  #places = MOST; // for columns

  #measure() {
    const rows = Math.max(1, this.#counts[0] + this.#counts[1]);
    const row = Math.max(2, Math.min(TALLEST, Math.floor(HEIGHT / rows)));
    this.#scale = Math.min(2, devicePixelRatio || 1);
    this.#canvas.style.height = `${rows * row + GAP}px`;
    this.#canvas.width = Math.round(this.#canvas.clientWidth * this.#scale);
    this.#canvas.height = Math.round((rows * row + GAP) * this.#scale);
    const room = this.#canvas.width - GUTTER * this.#scale;
    this.#width = Math.max(1, Math.round(this.#scale));
    this.#places = Math.max(1, Math.min(MOST, Math.floor(room / this.#width)));
    this.#height = row * this.#scale;
    for (const item of this.#legend.children) {
      this.#colours[item.dataset.letter] = getComputedStyle(item, "::before").backgroundColor;
    }
    const { backgroundColor, color } = getComputedStyle(this.#canvas.parentElement);
    Object.assign(this.#colours, { paper: backgroundColor, ink: color });
    this.#colours.problem = getComputedStyle(document.querySelector(".problem")).color;
  }

  #top(part, row) {
    return part === 0 ? row * this.#height : (this.#counts[0] + row) * this.#height + GAP * this.#scale;
  }

  // --- Drawing ---

  #draw() {
    if (this.#canvas.clientWidth === 0) return;
    if (!this.#isStale && this.#pending.length === 0) return;
    const fresh = this.#pending;
    this.#pending = [];
    this.#history.push(...fresh);
    if (this.#history.length > MOST) this.#history.splice(0, this.#history.length - MOST);
    if (this.#isStale) {
      this.#isStale = false;
      this.#measure();
      this.#fill(0, 0, this.#canvas.width, this.#canvas.height, "paper");
      this.#columns(this.#history.slice(-this.#places));
    } else {
      this.#move(Math.min(fresh.length, this.#places));
      this.#columns(fresh.slice(-this.#places));
    }
    this.#names();
  }

  #fill(x, y, width, height, colour) {
    this.#pen.fillStyle = this.#colours[colour];
    this.#pen.fillRect(x, y, width, height);
  }

  /** Move the image to the left by so many columns. */
  #move(count) {
    const { width, height } = this.#canvas;
    const left = width - this.#places * this.#width;
    const by = count * this.#width;
    if (width - left > by) {
      this.#pen.drawImage(this.#canvas, left + by, 0, width - left - by, height, left, 0, width - left - by, height);
    }
    this.#fill(width - by, 0, by, height, "paper");
  }

  /** Draw columns at the right end. */
  #columns(columns) {
    const left = this.#canvas.width - columns.length * this.#width;
    const thickness = this.#height > 6 ? this.#height - 2 : this.#height;
    for (const part of [0, 1]) {
      for (let row = 0; row < this.#counts[part]; row += 1) {
        const top = this.#top(part, row);
        // Equal neighbours are one bar.
        for (let from = 0, to = 0; from < columns.length; from = to) {
          const letter = columns[from][part][row];
          for (to = from + 1; to < columns.length && columns[to][part][row] === letter; to += 1);
          if (letter === undefined || letter === ".") continue;
          const state = letter.toLowerCase();
          this.#fill(left + from * this.#width, top, (to - from) * this.#width, thickness, state);
          if (state !== letter) this.#fill(left + from * this.#width, top, this.#width, thickness, "paper");
        }
      }
    }
  }

  #names() {
    const pen = this.#pen;
    const space = this.#canvas.width - this.#places * this.#width;
    this.#fill(0, 0, space, this.#canvas.height, "paper");
    const size = Math.min(15, (this.#height / this.#scale) * 0.8);
    pen.font = `${Math.max(size, 13) * this.#scale}px system-ui, sans-serif`;
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    const write = (text, part, row, colour) => {
      pen.fillStyle = this.#colours[colour];
      pen.fillText(text, space - 6 * this.#scale, this.#top(part, row) + this.#height / 2);
    };
    if (size < 9) {
      // There is no room for names: one for each part.
      write(`${this.#counts[0]} lanes`, 0, Math.min(4, this.#counts[0] - 1), "ink");
      write(`${this.#counts[1]} callers`, 1, Math.min(4, this.#counts[1] - 1), "ink");
      return;
    }
    for (let row = 0; row < this.#counts[0]; row += 1) {
      const number = this.#labels[row];
      const isWrong = this.#wrong.has(number);
      if (number) write(isWrong ? `✗ ${number}` : `${number}`, 0, row, isWrong ? "problem" : "ink");
    }
    for (let row = 0; row < this.#counts[1]; row += 1) {
      const isClient = row < this.#clients;
      write(isClient ? `client ${row + 1}` : `holder ${row + 1 - this.#clients}`, 1, row, "ink");
    }
  }
}
