// Undo and redo: they go through the browser's history, of which each sampled picture is a step.
import { currentStep } from "../shared/address.js";
import { closest, find } from "../shared/dom.js";
import { subscribe } from "../shared/session.js";

const TEXT_FIELD =
  "textarea, [contenteditable], input:not([type=range], [type=radio], [type=checkbox], [type=button])";

/**
 * How far to go in the history: as far as the steps of this page reach, since further back is another page.
 *
 * @param {number} by steps asked for; negative ones go back
 * @param {{ step: number, last: number }} position
 */
export const distanceToGo = (by, { step, last }) => Math.min(last, Math.max(0, step + by)) - step;

/**
 * What a key does.
 *
 * @param {Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey">} event
 * @returns {"undo" | "redo" | null}
 */
export function keyAction({ key, ctrlKey, metaKey, altKey, shiftKey }) {
  if (!(ctrlKey || metaKey) || altKey) return null;
  const letter = key.toLowerCase();
  if (letter === "z" && !shiftKey) return "undo";
  return letter === "y" || letter === "z" ? "redo" : null;
}

/** @param {HTMLElement} toolbar */
export function createUndo(toolbar) {
  const undo = find(toolbar, ".undo", HTMLButtonElement);
  const redo = find(toolbar, ".redo", HTMLButtonElement);
  const state = {
    pending: 0, // steps that the visitor has asked for, and the browser has not
    moving: false, // the browser is on its way to another step
    last: 0, // the newest step
  };

  /**
   * Go through the history, one move at a time: of two moves at once, browsers drop the first.
   *
   * @param {number} by steps
   */
  function move(by) {
    state.pending += by;
    if (state.moving || !state.pending) return;
    const distance = distanceToGo(state.pending, { step: currentStep(), last: state.last });
    state.pending = 0;
    state.moving = distance !== 0;
    if (state.moving) history.go(distance);
  }

  undo.addEventListener("click", () => move(-1));
  redo.addEventListener("click", () => move(1));
  window.addEventListener("popstate", () => {
    state.moving = false;
    move(0);
  });
  document.addEventListener("keydown", (event) => {
    const action = closest(event, TEXT_FIELD) ? null : keyAction(event);
    if (!action) return;
    event.preventDefault();
    (action === "undo" ? undo : redo).click();
  });
  subscribe("history", ({ step, last }) => {
    state.last = last;
    undo.disabled = step <= 0;
    redo.disabled = step >= last;
  });
}
