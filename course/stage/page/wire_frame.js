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
      ["FIN", "1", bits(first >> 7, 1), frame.fin ? said("the last frame of its message") : said("more of this message follows")],
      ["RSV 1–3", "1", bits(first >> 4 & 7, 3), frame.rsv ? said("an extension uses these") : said("no extension")],
      [said("opcode"), "1", bits(first & 15, 4), said("{0}: {1}", hex(first & 15, 1), nameOf(frame.name))],
      ["MASK", "2", bits(second >> 7, 1), key.length ? said("masked, as all that a client sends") : said("not masked, as all that a server sends")],
      [said("length"), "2", bits(second & 127, 7), more ? said("{0}: the next {1} bytes say it", second & 127, more) : count(frame.length)],
    ];
    if (more) fields.push([said("length, longer"), `3–${2 + more}`, raw.slice(2, 2 + more).map((byte) => bits(byte, 8)).join(" "), count(frame.length)]);
    if (key.length) fields.push([said("masking key"), `${start - 3}–${start}`, key.map((byte) => bits(byte, 8)).join(" "), key.map((byte) => hex(byte, 2)).join(" ")]);

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
      found[0] = said("code {0}", plain[0] * 256 + plain[1]);
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
  const count = (number) => number === 1 ? said("1 byte") : said("{0} bytes", number.toLocaleString("en"));

  const FRAMES = {
    "text": said("text"), "binary": said("binary"), "more of a message": said("more of a message"),
    "ping": said("ping"), "pong": said("pong"), "close": said("close"), "unknown": said("unknown"),
  };
  const nameOf = (name) => FRAMES[name] ?? name;

  return { takeApart, bits, hex, count, nameOf };
})();
