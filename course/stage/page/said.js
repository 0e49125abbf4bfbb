// What the scripts say, in the reader's language. The page has the sentences from the server.

"use strict";

const SENTENCES = JSON.parse(document.getElementById("sentences")?.textContent ?? "{}");

/** Return a sentence with its values: `{0}` is the place of the first. One that has no translation stays as it is. */
function said(sentence, ...values) {
  return (SENTENCES[sentence] ?? sentence).replace(/\{(\d)\}/g, (_, at) => values[at]);
}
