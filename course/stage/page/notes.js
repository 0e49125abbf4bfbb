// The presenter's notes: what the run sheet says about the lessons that show a step.

"use strict";

function showNotes(notes) {
  $("notes").replaceChildren(...notes.flatMap(lessonNotes));
}

function lessonNotes(note) {
  const heading = element("h3", "", said("Lesson {0} {1}", note.lesson, note.title));
  if (note.minutes) heading.append(" ", element("span", "quiet", said("{0} minutes", note.minutes)));
  return [heading, minutesOf(note.sections), ...note.blocks.map(blockOf)];
}

/** The lesson's sections with their minutes; those that show this step say so. */
function minutesOf(sections) {
  const made = element("table");
  const head = made.createTHead().insertRow();
  head.append(element("th", "", said("section")), element("th", "", said("min")));
  const body = made.createTBody();
  for (const section of sections) {
    const row = body.insertRow();
    row.append(element("td", "", section.title), element("td", "", section.minutes));
    if (section.here) row.firstChild.append(" ", element("strong", "", said("← this step")));
  }
  return made;
}

function blockOf({ kind, runs }) {
  const made = element("p", kind);
  made.append(...wordsOf(runs));
  return made;
}
