// A grid: four textures in the corners, their mixtures between them.
import { make } from "../shared/dom.js";
import { drawSmall } from "./canvas.js";
import { canvasIn, cellsIn, labelCells, makeCell, moveFocus, setTabStop } from "./cells.js";

/**
 * @param {HTMLElement} stage
 * @param {import("./frame.js").Frame} frame
 * @returns {import("./stages.js").Stage}
 */
export function createGrid(stage, frame) {
  const cells = Array.from({ length: frame.count }, (_, k) => makeCell(k));
  const corners = frame.ends.map((name) => make("span", { className: "corner", textContent: name }));
  stage.append(make("div", { className: "cells" }, ...cells), ...corners);
  setTabStop(cells, 0);
  return {
    paint({ pictures, weights }) {
      for (const [k, cell] of cells.entries()) drawSmall(canvasIn(cell), pictures[k]);
      labelCells(cells, weights);
    },
    keydown: (event) => moveFocus(event, cellsIn(stage), Math.round(Math.sqrt(cells.length))),
  };
}
