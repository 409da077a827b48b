// The pictures of a strip or a grid as buttons: a click takes the mixture of one as the target. Tab reaches
// one of them, and arrow keys move from there.
import { find, findAll, make } from "../shared/dom.js";
import { formatMixture } from "../shared/format.js";

/** @param {number} position @returns {HTMLButtonElement} */
export function makeCell(position) {
  const cell = make("button", { type: "button", className: "cell" }, make("canvas"));
  cell.dataset.position = String(position);
  return cell;
}

/** @param {HTMLElement} stage */
export const cellsIn = (stage) => findAll(stage, ".cell", HTMLButtonElement);

/** @param {HTMLElement} cell */
export const canvasIn = (cell) => find(cell, "canvas", HTMLCanvasElement);

/**
 * Name each cell after its mixture.
 *
 * @param {HTMLElement[]} cells
 * @param {Record<string, number>[]} weights by position
 */
export function labelCells(cells, weights) {
  for (const [k, cell] of cells.entries()) {
    const mixture = formatMixture(weights[k]);
    cell.setAttribute("aria-label", `${mixture}: take this mixture`);
    cell.title = `${mixture}\nClick to take this mixture`;
  }
}

/**
 * Let Tab reach this cell alone.
 *
 * @param {HTMLElement[]} cells
 * @param {number} position
 */
export function setTabStop(cells, position) {
  for (const [k, cell] of cells.entries()) cell.setAttribute("tabindex", k === position ? "0" : "-1");
}

/**
 * Position of the cell that an arrow key leads to.
 *
 * @param {string} key
 * @param {number} position
 * @param {number} columns
 * @returns {number | null} null if the key is no arrow key
 */
export function neighbour(key, position, columns) {
  const steps = /** @type {Record<string, number>} */ ({
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -columns,
    ArrowDown: columns,
  });
  return key in steps ? position + steps[key] : null;
}

/**
 * Move the focus by an arrow key.
 *
 * @param {KeyboardEvent} event
 * @param {HTMLElement[]} cells
 * @param {number} columns
 */
export function moveFocus(event, cells, columns) {
  const next = neighbour(event.key, cells.indexOf(/** @type {HTMLElement} */ (event.target)), columns);
  if (next === null || !cells[next]) return;
  event.preventDefault();
  setTabStop(cells, next);
  cells[next].focus();
}
