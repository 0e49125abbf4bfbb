"use strict";

// An extension of JupyterLab, in the form in which it loads one: a container that hands out a plugin.
//
// 1. Each right answer writes start.md anew. An open tab would go on showing what it has read once, so it reads the
//    file again when it comes to the front.
// 2. A link to a heading of a notebook that is not open yet finds no heading, as the cells are drawn later. So we go
//    there once it is drawn.

const PATIENCE = 10_000; // ms for a notebook to draw its cells
const LOOK = 100; // ms between two looks

const plugin = {
  id: "start-page:plugin",
  autoStart: true,
  activate(app) {
    app.restored.then(() => {
      app.shell.currentChanged.connect((_, { newValue }) => readAnew(newValue));
    });
    app.commands.commandExecuted.connect((_, { id, args }) => {
      if (id === "rendermime:handle-local-link" && args.id) {
        goTo(app.shell, args.path, decodeURIComponent(args.id.replace(/^#/, "")));
      }
    });
  },
};

function readAnew(widget) {
  const context = widget?.context;
  if (context?.path === "start.md" && context.isReady && !context.model.dirty) {
    context.revert();
  }
}

function goTo(shell, path, heading) {
  const find = () =>
    [...shell.widgets("main")]
      .find((widget) => widget.context?.path === path)
      ?.node.querySelector(`[data-jupyter-id="${CSS.escape(heading)}"]`);
  const until = Date.now() + PATIENCE;
  const look = () => {
    if (find()) {
      // Cells above it are drawn meanwhile, and move it.
      for (const later of [0, 300, 1000, 2000]) setTimeout(() => find()?.scrollIntoView(), later);
    } else if (Date.now() < until) {
      setTimeout(look, LOOK);
    }
  };
  look();
}

globalThis._JUPYTERLAB ??= {};
globalThis._JUPYTERLAB["start-page"] = {
  init() {},
  async get() {
    return () => ({ __esModule: true, default: plugin });
  },
};
