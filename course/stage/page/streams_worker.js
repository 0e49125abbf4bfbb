// Holds the stage's two streams for all tabs: what runs ("events"), and the wires that somebody looks at ("wire/3").
//
// Each stream begins with what there is. So when a tab begins to listen, the stream begins anew for all of them.

"use strict";

importScripts("lasting_stream.js");

const tabs = new Map(); // port of a tab → the paths that it listens to
const streams = { events: null, wires: null };

onconnect = ({ ports: [tab] }) => {
  tabs.set(tab, new Set());
  tab.onmessage = ({ data: { open, close, leave } }) => {
    const paths = tabs.get(tab) ?? new Set();
    tabs.set(tab, paths);
    if (open) paths.add(open);
    if (close) paths.delete(close);
    if (leave) paths.clear();
    if (open) begin(kindOf(open));
    for (const kind of Object.keys(streams)) if (!wanted(kind).length) end(kind);
  };
};

function kindOf(path) {
  return path === "events" ? "events" : "wires";
}

/** Return the paths of a kind that any tab listens to. */
function wanted(kind) {
  const all = new Set([...tabs.values()].flatMap((paths) => [...paths]));
  return [...all].filter((path) => kindOf(path) === kind);
}

function begin(kind) {
  end(kind);
  const paths = wanted(kind);
  const stream = (streams[kind] = new LastingStream(addressOf(kind, paths)));
  for (const type of ["open", "error", "refused"])
    stream.addEventListener(type, () => paths.forEach((path) => tell(path, type)));
  stream.addEventListener("message", ({ data }) => {
    if (kind === "events") tell("events", "message", data);
    else for (const [run, events] of JSON.parse(data)) for (const event of events) tell(`wire/${run}`, "message", event);
  });
}

function end(kind) {
  streams[kind]?.close();
  streams[kind] = null;
}

function addressOf(kind, paths) {
  const address = new URL(`../${kind}`, location);
  if (kind === "wires") for (const path of paths) address.searchParams.append("run", path.split("/")[1]);
  return address;
}

function tell(path, type, data = null) {
  for (const [tab, paths] of tabs) if (paths.has(path)) tab.postMessage({ path, type, data });
}
