// Clients of a step, side by side: each in a frame on a host of its own, so with a session of its own.

"use strict";

/** Show a run's clients as frames. A frame that is there already stays as it is. */
function showClients(box, run) {
  const wanted = run.clients.filter((client) => client.url);
  const frames = [...box.children];
  for (const figure of frames)
    if (!wanted.some((client) => client.url === figure.dataset.url)) figure.remove();
  for (const client of wanted)
    if (!frames.some((figure) => figure.dataset.url === client.url)) box.append(frameOf(client, run));
  box.hidden = !run.clients.length;
  box.dataset.count = run.clients.length;
  box.setAttribute("aria-busy", wanted.length < run.clients.length);
}

function frameOf(client, run) {
  const made = element("figure");
  made.dataset.url = client.url;
  const caption = element("figcaption");
  const name = element("bdi", "", client.name);
  name.lang = "zh";
  const tab = link(client.url, "in a tab ↗");
  tab.target = "_blank";
  tab.rel = "noopener";
  tab.setAttribute("aria-label", `${client.name} in a tab`);
  const again = element("button", "", "Load again");
  again.type = "button";
  again.setAttribute("aria-label", `Load ${client.name} again`);
  const frame = element("iframe");
  frame.title = `${client.name}: ${run.step}`;
  frame.src = client.url;
  again.addEventListener("click", () => (frame.src = client.url));
  caption.append(name, " ", again, " ", tab);
  made.append(caption, frame);
  return made;
}
