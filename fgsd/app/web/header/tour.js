// The first visit: three hints beside what they are about. Once dismissed they never come back.
import { find } from "../shared/dom.js";
import { on } from "../shared/events.js";
import { subscribe } from "../shared/session.js";
import { local } from "../shared/storage.js";

/** @typedef {{ width: number, height: number }} Size */

const KEY = "fgsd:tour";
const DELAY_MS = 1500; // after the first picture: it is looked at first
const GAP = 12; // pixels to what a hint is about, and to the edge of the window

/** @type {{ anchors: string[], text: string, without?: string }[]} the first anchor that is visible counts;
 *  the text `without` it is for the others */
const ALL_HINTS = [
  {
    anchors: ['.map-panel[data-view="map"] .ring', ".map-panel .map", ".map-panel .space"],
    text: "Drag the ring over the map: the picture follows it. Or click a texture.",
    without: "Tap a texture: a neural network draws it, out of noise. Map, above, lets you mix them.",
  },
  {
    anchors: ["#buttons"],
    text: "New seed makes another picture of the same. Mix (or Shift and a click) adds a second texture.",
  },
  {
    anchors: [".user-textures", "#paint-button"],
    text: "Add a photograph of a texture of your own, or paint with all of them.",
  },
];

/**
 * Where a hint goes: below its anchor, or above it where there is no room, within the window.
 *
 * @param {{ x: number, y: number, width: number, height: number }} anchor
 * @param {Size} hint
 * @param {Size} screen
 * @returns {{ left: number, top: number }}
 */
export function placeOf(anchor, hint, screen) {
  const within = (/** @type {number} */ at, /** @type {number} */ size, /** @type {number} */ room) =>
    Math.max(GAP, Math.min(at, room - size - GAP));
  const below = anchor.y + anchor.height + GAP;
  const fits = below + hint.height + GAP <= screen.height;
  const top = fits ? below : anchor.y - hint.height - GAP;
  const left = anchor.x + (anchor.width - hint.width) / 2;
  return { left: within(left, hint.width, screen.width), top: within(top, hint.height, screen.height) };
}

/** @param {HTMLElement} toolbar */
export function createTour(toolbar) {
  const card = find(toolbar, ".tour");
  const [text, count, next] = [".text", ".count", ".next"].map((name) => find(card, name));
  let hints = ALL_HINTS; // of those, the ones that are about a part of this page
  let step = -1; // none is shown
  let paints = false; // the hints are about the page without the canvas, and wait until it is closed

  function anchor() {
    const all = hints[step].anchors.map((selector) => document.querySelector(selector));
    return all.find((element) => element?.checkVisibility()) ?? null;
  }

  function place() {
    const beside = step >= 0 && anchor();
    if (!beside) return;
    const screen = { width: window.innerWidth, height: window.innerHeight };
    const { left, top } = placeOf(beside.getBoundingClientRect(), card.getBoundingClientRect(), screen);
    Object.assign(card.style, { left: `${left}px`, top: `${top}px` });
  }

  function mark() {
    document.querySelector(".tour-anchor")?.classList.remove("tour-anchor");
    if (step >= 0) anchor()?.classList.add("tour-anchor");
  }

  /** @param {number} index */
  function show(index) {
    step = index;
    const { anchors, text: words, without } = hints[step];
    text.textContent = (!document.querySelector(anchors[0])?.checkVisibility() && without) || words;
    count.textContent = `${step + 1} of ${hints.length}`;
    next.textContent = step === hints.length - 1 ? "Done" : "Next";
    card.hidden = paints;
    mark();
    place();
  }

  function dismiss() {
    step = -1;
    card.hidden = true;
    local.set(KEY, "dismissed");
    mark();
  }

  function goOn() {
    if (step === hints.length - 1) {
      dismiss();
      return;
    }
    show(step + 1);
    anchor()?.scrollIntoView({ block: "nearest" });
    place();
  }

  function begin() {
    // a browser that keeps nothing would show it at each visit
    if (step >= 0 || local.get(KEY) || !local.set(KEY, "")) return;
    setTimeout(() => {
      hints = ALL_HINTS.filter(({ anchors }) => document.querySelector(anchors.join()));
      if (!local.get(KEY)) show(0);
    }, DELAY_MS);
  }

  next.addEventListener("click", goOn);
  find(card, ".skip").addEventListener("click", dismiss);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && step >= 0 && !document.querySelector("dialog[open]")) dismiss();
  });
  subscribe("drag", (held) => {
    if (step < 0) return;
    card.hidden = held || paints; // nothing lies over what is dragged
    if (!held && step === 0) goOn(); // the visitor has found the ring
  });
  subscribe("painting", (open) => {
    paints = open;
    if (step >= 0) card.hidden = open;
  });
  window.addEventListener("resize", place);
  window.addEventListener("scroll", place, true);
  const stop = on("frame", ({ last }) => {
    if (!last) return;
    stop();
    begin();
  });
}
