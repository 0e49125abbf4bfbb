// One frame of WebSocket, bit by bit (RFC 6455, section 5.2): what its first bytes say, field by field.

"use strict";

const Wire = (() => {
  /**
   * Take a frame apart that the tap has shown.
   *
   * Returns `fields`, each with its name, its place in bytes, its bits and what they say; and `bytes`, for
   * each byte of the payload that is here: as it was sent, its part of the key, and as it is without the mask.
   */
  function takeApart(frame) {
    const raw = frame.raw.match(/../g).map((digits) => parseInt(digits, 16));
    const start = frame.header;
    const [first, second] = raw;
    const more = { 126: 2, 127: 8 }[second & 127] ?? 0;
    const key = frame.mask ? raw.slice(start - 4, start) : [];
    const fields = [
      ["FIN", "1", bits(first >> 7, 1), frame.fin ? "the last frame of its message" : "more of this message follows"],
      ["RSV 1–3", "1", bits(first >> 4 & 7, 3), frame.rsv ? "an extension uses these" : "no extension"],
      ["opcode", "1", bits(first & 15, 4), `${hex(first & 15, 1)}: ${frame.name}`],
      ["MASK", "2", bits(second >> 7, 1), key.length ? "masked, as all that a client sends" : "not masked, as all that a server sends"],
      ["length", "2", bits(second & 127, 7), more ? `${second & 127}: the next ${more} bytes say it` : count(frame.length)],
    ];
    if (more) fields.push(["length, longer", `3–${2 + more}`, raw.slice(2, 2 + more).map((byte) => bits(byte, 8)).join(" "), count(frame.length)]);
    if (key.length) fields.push(["masking key", `${start - 3}–${start}`, key.map((byte) => bits(byte, 8)).join(" "), key.map((byte) => hex(byte, 2)).join(" ")]);

    const sent = raw.slice(start);
    const plain = sent.map((byte, at) => key.length ? byte ^ key[at % 4] : byte);
    const characters = charactersOf(frame, plain);
    const bytes = sent.map((byte, at) => ({
      place: start + at + 1,
      sent: byte,
      key: key.length ? key[at % 4] : null,
      plain: plain[at],
      character: characters[at] ?? "",
    }));
    return { fields, bytes };
  }

  /** What each byte begins: a character of text, or the code of a close. */
  function charactersOf(frame, plain) {
    const found = [];
    let at = 0;
    if (frame.name === "close" && plain.length >= 2) {
      found[0] = `code ${plain[0] * 256 + plain[1]}`;
      at = 2;
    }
    if (!frame.text) return found;
    // With `stream` the half of a character at the end is left out.
    const text = new TextDecoder().decode(new Uint8Array(plain.slice(at)), { stream: true });
    if (text.includes("\ufffd")) return found;
    for (const character of text) {
      found[at] = character;
      at += new TextEncoder().encode(character).length;
    }
    return found;
  }

  const bits = (number, length) => number.toString(2).padStart(length, "0");
  const hex = (number, length) => `0x${number.toString(16).padStart(length, "0")}`;
  const count = (number) => `${number.toLocaleString("en")} ${number === 1 ? "byte" : "bytes"}`;

  return { takeApart, bits, hex, count };
})();
