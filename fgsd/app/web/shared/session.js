// State that panels share. Panels are mounted one after the other, so the session keeps each state and
// repeats it to panels that subscribe after it was announced.
import { emit, on } from "./events.js";

/** @typedef {import("./events.js").States} States */

/** @type {(keyof States)[]} */
const NAMES = [
  "settings",
  "mode",
  "visitor",
  "user-textures",
  "learning",
  "restored",
  "kept",
  "running",
  "drag",
  "view",
  "tile",
  "painting",
  "history",
  "film",
  "wander",
];
const RESTORE_MS = 5000; // that the page waits for textures that the browser has kept
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
 * Return the state that was announced last; undefined before the first announcement.
 *
 * @template {keyof States} K
 * @param {K} name
 * @returns {States[K] | undefined}
 */
export function current(name) {
  return states[name];
}

/**
 * Call the handler with the current state, if there is one, and after each change.
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
 * Announce the values of the controls, in their order. Gradio calls this whenever one has changed.
 *
 * @param {...unknown} values
 */
export function announceSettings(...values) {
  announce("settings", values);
}

/**
 * Number the requests of this page, so that the server can tell the newest: requests may arrive in another
 * order than they were sent. Gradio calls this with the inputs of an event.
 *
 * @param {...unknown} inputs of which the last is replaced by the number
 * @returns {unknown[]}
 */
export function numberRequest(...inputs) {
  clientSeq += 1;
  emit("request", clientSeq);
  return [...inputs.slice(0, -1), clientSeq];
}

/** Whether the visitor has started or stopped a run. @returns {boolean} */
export const hasRequested = () => clientSeq > 0;

/**
 * Wait until the server has the textures that the browser has kept. Gradio calls this before the server opens
 * the address, which may name one of them.
 *
 * @returns {Promise<[]>} no inputs
 */
export function texturesRestored() {
  return new Promise((resolve) => {
    subscribe("restored", () => resolve([]));
    setTimeout(() => resolve([]), RESTORE_MS);
  });
}
