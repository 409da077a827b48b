// The chips under the map: one for each texture of the target, with a slider and a number for its weight.
import { closest, find, findAll, make } from "../shared/dom.js";
import { entryOf, percentOf, withMove, withPercent, withWeight, without } from "./target.js";

/** @typedef {import("../shared/events.js").TargetEntry} TargetEntry */

export class Chips {
  /** @param {import("./panel.js").MapPanel} panel @param {import("./thumbnails.js").Thumbnails} thumbnails */
  constructor(panel, thumbnails) {
    this.panel = panel;
    this.thumbnails = thumbnails;
    this.element = find(panel.section, ".chips");
    panel.on("target", () => this.#draw());
    this.element.addEventListener("input", (event) => this.#input(event));
    this.element.addEventListener("change", () => panel.trigger("release"));
    this.element.addEventListener("focusout", (event) => this.#restoreNumber(event));
    this.element.addEventListener("click", (event) => this.#click(event));
  }

  // Keep the chip of a texture while it is chosen: a slider that is being dragged must not be replaced.
  #draw() {
    const { target } = this.panel;
    const chips = new Map(findAll(this.element, ".chip").map((chip) => [nameOf(chip), chip]));
    for (const [name, chip] of chips) if (!entryOf(target, name)) chip.remove();
    for (const [k, entry] of target.entries()) {
      const chip = chips.get(entry.name) ?? this.#makeChip(entry.name);
      const { children } = this.element;
      if (children[k] !== chip) this.element.insertBefore(chip, children[k] ?? null);
      showEntry(chip, entry, percentOf(target, entry));
    }
    this.element.dataset.count = String(target.length);
  }

  /** @param {string} name */
  #makeChip(name) {
    const button = this.thumbnails.buttons.get(name);
    const thumbnail = make("i");
    thumbnail.style.cssText = button?.style.cssText ?? "";
    thumbnail.style.transform = "";
    const home = make("button", {
      type: "button",
      className: "home",
      textContent: "↺",
      hidden: true,
      title: "It was moved over the map: put it back in its place",
      ariaLabel: `Put ${name} back in its place`,
    });
    const scale = { min: "0", max: "100", step: "1" };
    const chip = make(
      "div",
      { className: "chip" },
      thumbnail,
      make("span", {}, make("b", { textContent: name }), home),
      make("input", { type: "range", ...scale, ariaLabel: `Weight of ${name}` }),
      make(
        "span",
        { className: "part" },
        make("input", { type: "number", ...scale, ariaLabel: `Share of ${name} in percent` }),
        " %",
      ),
      make("button", { type: "button", className: "remove", textContent: "×", ariaLabel: `Remove ${name}` }),
    );
    chip.dataset.name = name;
    chip.classList.toggle("user-texture", Boolean(button?.matches(".user-texture")));
    return chip;
  }

  /** @param {Event} event */
  #input({ target: input }) {
    if (!(input instanceof HTMLInputElement)) return;
    const { target } = this.panel;
    if (input.type === "range") {
      const changed = withWeight(target, nameOf(input), Number(input.value));
      if (changed.some(({ weight }) => weight > 0)) this.panel.setTarget(changed);
    } else if (input.value !== "") {
      const changed = withPercent(target, nameOf(input), Number(input.value));
      if (changed) this.panel.setTarget(changed);
    }
  }

  // Show the share again in a number that was left empty.
  /** @param {Event} event */
  #restoreNumber({ target: input }) {
    if (!(input instanceof HTMLInputElement) || input.type !== "number") return;
    const { target } = this.panel;
    const entry = entryOf(target, nameOf(input));
    if (entry) input.value = String(percentOf(target, entry));
  }

  /** @param {Event} event */
  #click(event) {
    const button = closest(event, "button");
    if (!button) return;
    const { target } = this.panel;
    const name = nameOf(button);
    this.panel.choose(button.matches(".home") ? withMove(target, name, null) : without(target, name));
  }
}

/** The texture that a part of a chip belongs to. @param {Element} part */
function nameOf(part) {
  return /** @type {HTMLElement | null} */ (part.closest(".chip"))?.dataset.name ?? "";
}

/** @param {HTMLElement} chip @param {TargetEntry} entry @param {number} percent */
function showEntry(chip, entry, percent) {
  const [range, number] = findAll(chip, "input", HTMLInputElement);
  if (Number(range.value) !== Math.round(entry.weight)) range.value = String(entry.weight);
  range.setAttribute("aria-valuetext", `${percent} percent`);
  if (document.activeElement !== number) number.value = String(percent);
  find(chip, ".home").hidden = !entry.move;
  chip.dataset.weight = String(entry.weight);
}
