// What the page knows of its visitor right now. Panels are mounted one after the other, so each state is kept
// here and repeated to whoever subscribes after it was announced.
import { emit, on } from "./events.js";

/** @typedef {import("./events.js").States} States */

/** @type {(keyof States)[]} */
const NAMES = ["settings", "mode", "visitor", "user-textures", "running", "drag", "view", "tile", "history"];
/** @type {Partial<States>} */
const states = {};
let clientSeq = 0;

for (const name of NAMES) on(name, (detail) => Object.assign(states, { [name]: detail }));

/**
 * Change a state and tell all panels.
 *
 * @template {keyof States} K
 * @param {K} name
 * @param {States[K]} value
 */
export function announce(name, value) {
  emit(name, /** @type {import("./events.js").Events[K]} */ (value));
}

/**
 * The state as it was announced last; undefined before that.
 *
 * @template {keyof States} K
 * @param {K} name
 * @returns {States[K] | undefined}
 */
export function current(name) {
  return states[name];
}

/**
 * Call the handler with the state, at once if it is known, and after each change.
 *
 * @template {keyof States} K
 * @param {K} name
 * @param {(value: States[K]) => void} handler
 * @returns {() => void} ends the subscription
 */
export function subscribe(name, handler) {
  if (name in states) handler(/** @type {States[K]} */ (states[name]));
  return on(name, handler);
}

/**
 * Called by Gradio with the values of the controls, in their order, whenever one has changed.
 *
 * @param {...unknown} values
 */
export function announceSettings(...values) {
  announce("settings", values);
}

/**
 * Number a request of this page, so that the server can tell the newest: two requests that leave one after
 * the other may arrive in the other order. Called by Gradio with the inputs of an event.
 *
 * @param {...unknown} inputs the last one is replaced by the number
 * @returns {unknown[]}
 */
export function numberRequest(...inputs) {
  clientSeq += 1;
  return [...inputs.slice(0, -1), clientSeq];
}
