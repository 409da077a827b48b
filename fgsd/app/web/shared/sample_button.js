// Starts a run by pressing the Sample button, so that all that a press does is done.
import { hasMixture } from "./address.js";

const RETRY_MS = 20;

/** Gradio draws the controls a moment before the button: then press it once it is there. */
export function pressSample() {
  const button = /** @type {HTMLElement | null} */ (document.querySelector("#sample"));
  if (button) button.click();
  else setTimeout(pressSample, RETRY_MS);
}

/** Sample what the address holds, if it holds anything. */
export function sampleAddress() {
  if (hasMixture(location.search)) pressSample();
}

/** Sample if a value from the server says so. @param {{ sample?: boolean } | null} value */
export function sampleIfAsked(value) {
  if (value?.sample) pressSample();
}
