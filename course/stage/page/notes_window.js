// The notes in a window of their own, for the presenter's screen. The stage says which step is shown.

"use strict";

const channel = new BroadcastChannel("stage");

channel.addEventListener("message", async ({ data }) => {
  if (!data.step) return;
  const found = await read(`steps/${data.step}`);
  $("title").textContent = found.title;
  showNotes(found.notes);
});

addEventListener("keydown", ({ key }) => {
  const turn = { ArrowRight: "next", j: "next", ArrowLeft: "previous", k: "previous" }[key];
  if (turn) channel.postMessage({ turn });
});

channel.postMessage({ hello: true });
