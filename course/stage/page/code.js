// The code of a step: its own file first, then the modules that it is put together from.

"use strict";

const LONG = 6; // lines in a row that are as before, and can be folded

function showCode(files) {
  $("files").replaceChildren(...files.map(fileOf));
  foldCode();
}

function fileOf(file) {
  const made = element("details");
  const count = file.lines?.filter((line) => line.new).length;
  const words = file.new ? said("new with this step") : count ? said("{0} new lines", count) : "";
  const summary = element("summary", "", file.path);
  summary.append(" ", element("span", "quiet", words));
  made.append(summary);
  if (file.step) {
    made.append(codeOf(file.path, file.lines));
    made.open = true;
  } else {
    // A module is fetched when somebody wants to see it.
    const build = async () => made.append(codeOf(file.path, await read(`code/${file.path}`)));
    made.addEventListener("toggle", build, { once: true });
  }
  return made;
}

function codeOf(path, lines) {
  const made = element("div", "code");
  made.tabIndex = 0;
  made.dataset.scrolls = "";
  made.setAttribute("role", "region");
  made.setAttribute("aria-label", path);
  for (const stretch of stretches(lines)) made.append(...stretchOf(stretch));
  return made;
}

/** Cut lines where new and old ones meet. */
function stretches(lines) {
  const found = [];
  for (const line of lines) {
    if (found.at(-1)?.[0].new === line.new) found.at(-1).push(line);
    else found.push([line]);
  }
  return found;
}

function stretchOf(lines) {
  const shown = lines.map(lineOf);
  if (lines[0].new || lines.length < LONG) return shown;
  const made = element("details", "same");
  made.append(element("summary", "", said("{0} lines as before", lines.length)), ...shown);
  made.open = true;
  return [made];
}

function lineOf(line) {
  const made = element(line.new ? "ins" : "div", "line");
  made.dataset.number = line.number;
  for (const [kind, text] of line.runs) made.append(element("span", kind, text));
  return made;
}

function foldCode() {
  const folded = $("fold").checked;
  for (const same of document.querySelectorAll("#files > details .same"))
    same.open = !folded || !same.closest(".code").querySelector("ins");
}

$("fold").checked = recall("fold", false);
$("fold").addEventListener("change", () => {
  remember("fold", $("fold").checked);
  foldCode();
});
