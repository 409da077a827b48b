// A strip: the pictures from one texture to the next in a row, under them the same for two methods to compare
// with, and one position of all three enlarged.
import { find, findAll, make } from "../shared/dom.js";
import { formatMixture } from "../shared/format.js";
import { drawLarge, drawSmall } from "./canvas.js";
import { canvasIn, cellsIn, labelCells, makeCell, moveFocus, setTabStop } from "./cells.js";

/** @typedef {import("./frame.js").Frame} Frame */

const ROWS = [
  ["guided", "Guided: one noise, the target moves. Click one to take it."],
  ["pixel blend", "Pixel blend: the end pictures faded into each other"],
  ["unguided", "Unguided: the same noise, no texture asked for"],
];

/**
 * Which picture a row shows at a position: the guided ones come first, then the blends, then one unguided
 * picture.
 *
 * @param {number} row
 * @param {number} position
 * @param {number} count positions
 */
export const pictureIndex = (row, position, count) => (row === 2 ? 2 * count : row * count + position);

/**
 * @param {HTMLElement} stage
 * @param {Frame} frame
 * @returns {import("./stages.js").Stage}
 */
export function createStrip(stage, frame) {
  const { count } = frame;
  const state = { frame, enlarged: Math.floor((count - 1) / 2) };
  stage.style.setProperty("--count", String(count));
  const rows = ROWS.map(([, caption], row) => {
    const cells = Array.from({ length: count }, (_, k) => (row === 0 ? makeCell(k) : make("canvas")));
    return make(
      "div",
      { className: "row" },
      make("p", { textContent: caption }),
      make("div", { className: "cells" }, ...cells),
    );
  });
  const figures = ROWS.map(([name]) =>
    make("figure", {}, make("canvas"), make("figcaption", { textContent: name })),
  );
  stage.append(...rows, make("div", { className: "enlarged" }, ...figures));

  function paintEnlarged() {
    const { pictures, weights } = state.frame;
    const position = state.enlarged;
    for (const [row, figure] of figures.entries()) {
      drawLarge(canvasIn(figure), pictures[pictureIndex(row, position, count)]);
    }
    const caption = find(figures[0], "figcaption");
    caption.textContent = caption.title = formatMixture(weights[position]);
    for (const row of rows) {
      const cells = find(row, ".cells").children;
      for (const [k, cell] of [...cells].entries()) cell.classList.toggle("selected", k === position);
    }
    setTabStop(cellsIn(stage), position);
  }

  return {
    paint(next) {
      state.frame = next;
      for (const [row, element] of rows.entries()) {
        for (const [k, canvas] of findAll(element, "canvas", HTMLCanvasElement).entries()) {
          drawSmall(canvas, next.pictures[pictureIndex(row, k, count)]);
        }
      }
      labelCells(cellsIn(stage), next.weights);
      paintEnlarged();
    },
    hover(target) {
      const cells = [...(target.closest(".cells")?.children ?? [])];
      const position = cells.findIndex((cell) => cell.contains(target));
      if (position < 0) return;
      state.enlarged = position;
      paintEnlarged();
    },
    keydown: (event) => moveFocus(event, cellsIn(stage), 1),
  };
}
