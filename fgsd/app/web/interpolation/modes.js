// The tabs over the picture: what is made of the chosen textures. The value is the mode; its sliders are in
// the interpolation panel, which changes them by the event "interpolation".
import { closest, find, findAll } from "../shared/dom.js";
import { on } from "../shared/events.js";
import { announce } from "../shared/session.js";

/** @typedef {import("../shared/events.js").Mode} Mode */

/** @param {import("../shared/dom.js").Panel<Partial<Mode>>} panel */
export function mount({ element, trigger, props, watch }) {
  const tabs = find(element, ".modes");
  const buttons = findAll(tabs, "button", HTMLButtonElement);
  const right = find(document, "#right"); // the half of the page that the mode changes
  /** What the sliders were set to last, also while another mode is on. */
  const sliders = { switch: 0.5, places: 7 };

  /** @returns {Mode} */
  function current() {
    const value = props.value ?? {};
    return {
      mode: value.mode ?? "sample",
      switch: value.switch ?? sliders.switch,
      places: value.places ?? sliders.places,
    };
  }

  function draw() {
    const now = current();
    Object.assign(sliders, { switch: now.switch, places: now.places });
    for (const button of buttons) {
      const selected = button.dataset.mode === now.mode;
      button.setAttribute("aria-selected", String(selected));
      button.tabIndex = selected ? 0 : -1; // arrow keys reach the others
    }
    right.dataset.mode = now.mode;
    announce("mode", now);
  }

  /** @param {Partial<Mode>} changes */
  function change(changes) {
    props.value = { ...current(), ...changes };
    draw();
  }

  tabs.addEventListener("click", (event) => {
    const { mode } = closest(event, "[data-mode]")?.dataset ?? {};
    if (!mode) return;
    change({ mode });
    trigger("release");
  });
  tabs.addEventListener("keydown", (event) => {
    const step = /** @type {Record<string, number>} */ ({ ArrowLeft: -1, ArrowRight: 1 })[event.key];
    if (!step) return;
    event.preventDefault();
    const next = buttons.indexOf(/** @type {HTMLButtonElement} */ (event.target)) + step;
    buttons.at(next % buttons.length)?.focus();
  });
  on("interpolation", ({ kind, changes }) => {
    change(changes);
    trigger(kind);
  });
  // a preview is a single picture, whatever the mode
  on("drag", (dragging) => right.toggleAttribute("data-drag", dragging));
  watch("value", draw);
  draw();
}
