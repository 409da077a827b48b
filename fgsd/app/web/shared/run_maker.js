// Who makes the next run: the server, or the visitor's own machine.
import { numberRequest } from "./session.js";

/** @typedef {(target: unknown, values: unknown[]) => boolean} Choose whether the browser makes the run of a
 *  target with the values of the controls */

/** @type {Choose} */
let chooseBrowser = () => false;

/** @param {Choose} choose */
export function setRunMaker(choose) {
  chooseBrowser = choose;
}

/**
 * Number the request of a run, and say whether the browser makes it. Gradio calls this with the inputs of the
 * event.
 *
 * @param {...unknown} inputs target, values of the controls, and two that are replaced
 * @returns {unknown[]}
 */
export function numberRun(...inputs) {
  const [target, ...values] = inputs.slice(0, -2);
  return [...numberRequest(...inputs.slice(0, -1)), chooseBrowser(target, values)];
}
