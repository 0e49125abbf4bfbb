// The course map: sections in order, with their lessons and steps, and which steps run.

"use strict";

let course = null; // what /map says
const mapLinks = new Map(); // step → its links in the map

async function loadMap() {
  course = await read("map");
  $("map").replaceChildren(...course.sections.map(sectionOf));
}

function sectionOf(section) {
  const made = element("section");
  const heading = element("h2", "", section.id);
  heading.append(" ", element("span", "", section.teaches));
  const steps = element("ul");
  for (const step of [...section.steps, ...section.naive]) {
    const entry = element("li");
    entry.append(stepLink(step));
    steps.append(entry);
  }
  made.append(heading, element("p", "quiet", section.lessons.map(lessonWords).join(said(", "))), steps);
  return made;
}

function lessonWords(number) {
  const { minutes } = course.lessons[number];
  return minutes ? said("lesson {0}, {1} min", number, minutes) : said("lesson {0}", number);
}

function stepLink(step) {
  const [, name] = step.split("/");
  const made = link(`#${step}`, course.titles[step]);
  made.title = step;
  made.prepend(element("b", "", name.split("_")[0].replace("step", "")), " ");
  made.append(" ", element("span", "runs"));
  mapLinks.set(step, [...(mapLinks.get(step) ?? []), made]);
  return made;
}

function markCurrent(step) {
  for (const [path, links] of mapLinks)
    for (const one of links)
      if (path === step) one.setAttribute("aria-current", "page");
      else one.removeAttribute("aria-current");
  mapLinks.get(step)?.[0].scrollIntoView({ block: "nearest" });
}

/** Say in map and bar which steps run. */
function markRunning(steps) {
  for (const [path, links] of mapLinks)
    for (const one of links) one.lastChild.textContent = steps.includes(path) ? said("runs") : "";
  $("running").replaceChildren(...steps.map((path) => link(`#${path}`, path)));
}
