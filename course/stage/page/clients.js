// Clients of a step, side by side: each in a frame on a host of its own, so with a session of its own.

"use strict";

/** Show a run's clients as frames, in order. A frame that is there already stays as it is. */
function showClients(box, run) {
  const urls = run.clients.map((client) => client.url);
  for (const figure of [...box.children]) if (!urls.includes(figure.dataset.url)) figure.remove();
  for (const [number, client] of run.clients.entries()) {
    const there = [...box.children].find((figure) => figure.dataset.url === client.url);
    if (there || !client.url) continue;
    // Before the first one that comes later: to move a frame would load it anew.
    const later = [...box.children].find((figure) => urls.indexOf(figure.dataset.url) > number);
    box.insertBefore(frameOf(client, run), later ?? null);
  }
  box.hidden = !run.clients.length;
  box.dataset.count = run.clients.length;
  box.setAttribute("aria-busy", urls.includes(""));
}

function frameOf(client, run) {
  const made = element("figure");
  made.dataset.url = client.url;
  const caption = element("figcaption");
  const name = element("bdi", "", client.name);
  name.lang = "zh";
  const tab = link(client.url, said("in a tab ↗"));
  tab.target = "_blank";
  tab.rel = "noopener";
  tab.setAttribute("aria-label", said("{0} in a tab", client.name));
  const again = element("button", "", said("Load again"));
  again.type = "button";
  again.setAttribute("aria-label", said("Load {0} again", client.name));
  const frame = element("iframe");
  frame.title = `${client.name}: ${run.step}`;
  frame.src = client.url;
  again.addEventListener("click", () => (frame.src = client.url));
  caption.append(name, " ", again, " ", tab);
  made.append(caption, frame);
  return made;
}
