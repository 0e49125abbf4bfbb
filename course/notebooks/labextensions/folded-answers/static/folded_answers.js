"use strict";

// An extension of JupyterLab, in the form in which it loads one: a container that hands out a plugin.
// In place of a folded output JupyterLab writes its first line. In a lesson that is the answer to a prediction.
// And a dark JupyterLab does not say to the pictures in it that it is dark.

const FOLDED = `
.jp-OutputPlaceholder .jp-PlaceholderText { font-size: 0; }
.jp-OutputPlaceholder .jp-PlaceholderText::after { content: "run the cell to see"; font-size: var(--jp-ui-font-size1); }
body[data-jp-theme-light="false"] { color-scheme: dark; --jp-mirror-editor-comment-color: #9cc0bd; }
`;

// Extensions are scripts of one page, so a name at the left edge has to be used by one of them only.
const foldedAnswers = {
  id: "folded-answers:plugin",
  autoStart: true,
  activate() {
    const style = document.createElement("style");
    style.textContent = FOLDED;
    document.head.append(style);
  },
};

globalThis._JUPYTERLAB ??= {};
globalThis._JUPYTERLAB["folded-answers"] = {
  init() {},
  async get() {
    return () => ({ __esModule: true, default: foldedAnswers });
  },
};
