// The tools of the header that need no server, and what they do for the whole page.
import { closest, find } from "../shared/dom.js";
import { subscribe } from "../shared/session.js";
import { pressSample } from "../shared/sample_button.js";
import { createFavourites } from "./favourites.js";
import { createHelp } from "./help.js";
import { createTour } from "./tour.js";
import { createUndo } from "./undo.js";

// controls whose change starts a run
const CONTROLS = "[type=range], [type=number], [type=radio], [type=checkbox]";

/** Enable the Stop button while the newest run, of whichever panel, has more steps to come. */
function enableStop() {
  let newest = 0; // id of a run
  subscribe("running", ({ run, running }) => {
    const stop = /** @type {HTMLButtonElement | null} */ (document.querySelector("#stop"));
    if (!stop || !(run >= newest)) return;
    newest = run;
    stop.disabled = !running;
  });
}

/** Sample after a control has changed. Gradio takes its new value from the same event, so it comes first. */
function sampleChanges() {
  document.addEventListener("change", (event) => {
    if (!closest(event, "#controls") || closest(event, "#view")) return;
    if (/** @type {Element} */ (event.target).matches(CONTROLS)) setTimeout(pressSample);
  });
}

/** @param {import("../shared/dom.js").Panel} panel */
export function mount({ element }) {
  const toolbar = find(element, ".toolbar");
  find(toolbar, ".theme").addEventListener("click", () => document.body.classList.toggle("dark"));
  createUndo(toolbar);
  createFavourites(toolbar);
  createHelp(toolbar);
  createTour(toolbar);
  enableStop();
  sampleChanges();
}
