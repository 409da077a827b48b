// Starts a run by pressing the Sample button, so that every listener of the button runs.
import { hasMixture } from "./address.js";
import { hasRequested } from "./session.js";

const RETRY_MS = 20;

/** Press the button, as soon as Gradio has drawn it. */
export function pressSample() {
  const button = /** @type {HTMLElement | null} */ (document.querySelector("#sample"));
  if (button) button.click();
  else setTimeout(pressSample, RETRY_MS);
}

/** Sample if the address holds a link. */
export function sampleAddress() {
  if (hasMixture(location.search)) pressSample();
}

/** Sample if the page was opened by a link, and the visitor has started nothing since. */
export function sampleOpened() {
  if (!hasRequested()) sampleAddress();
}

/** Sample if a value from the server says so. @param {{ sample?: boolean } | null} value */
export function sampleIfAsked(value) {
  if (value?.sample) pressSample();
}
