// Each picture that was sampled is a step of the browser's history: Back and Forward undo and redo.
import {
  currentStep,
  formatLink,
  hasMixture,
  parseLink,
  pushQuery,
  replaceQuery,
  withMapViewOf,
} from "../shared/address.js";
import { on } from "../shared/events.js";
import { announce } from "../shared/session.js";

/**
 * What the address becomes when the picture of a link is on the screen.
 *
 * @param {string} link
 * @param {string} first link of the first screen, whose address holds none
 * @param {string} query of the address now
 * @returns {"same" | "replace" | "push"} "replace" is no step of its own
 */
export function addressChange(link, first, query) {
  if (withMapViewOf(link, query) === query) return "same";
  const shown = parseLink(query);
  if (shown && formatLink(shown) === link) return "replace"; // the same link, written in another way
  return !hasMixture(query) && link === first ? "replace" : "push";
}

/**
 * @param {Object} options
 * @param {() => string} options.first link of the first screen, whose address holds none
 * @param {(query: string) => void} options.open asks the server for what an address holds
 */
export function createHistory({ first, open }) {
  const state = {
    traversing: false, // the visitor goes back or forward, and the picture is not there yet
    last: currentStep(), // the newest step
    announced: "", // what the other panels have heard last, as a text
  };

  function announceStep() {
    const step = currentStep();
    state.last = Math.max(state.last, step);
    const now = `${step} ${state.last} ${location.search}`;
    if (now === state.announced) return;
    state.announced = now;
    announce("history", { step, last: state.last });
  }

  /**
   * Enter the picture on the screen into the address. The address keeps its view of the map.
   *
   * @param {string} link of the picture
   */
  function remember(link) {
    const change = addressChange(link, first(), location.search);
    const query = withMapViewOf(link, location.search);
    if (change === "push" && state.traversing) return; // a late picture of a step that the visitor has left
    if (change !== "push") state.traversing = false;
    if (change === "replace") replaceQuery(query);
    else if (change === "push") {
      pushQuery(query);
      state.last = currentStep(); // later steps are gone: there is nothing to redo
    }
    announceStep();
  }

  on("open", (link) => {
    remember(link);
    state.traversing = true;
    open(link);
  });
  window.addEventListener("popstate", () => {
    state.traversing = true;
    if (!hasMixture(location.search)) replaceQuery(withMapViewOf(first(), location.search));
    announceStep();
    open(location.search);
  });
  for (const kind of ["pointerdown", "keydown", "drop", "paste"]) {
    // what the visitor does next becomes a step of its own
    window.addEventListener(kind, () => (state.traversing = false), true);
  }
  return { remember };
}
