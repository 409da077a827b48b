// The palette of a painting: the target of each region. The brush has the texture that was chosen last, in
// the palette or on the map; a stroke adds it to the palette if it is new.
import { closest, make } from "../shared/dom.js";

/** @typedef {import("../shared/events.js").TargetEntry} TargetEntry */

// of the plan and its legend: Okabe and Ito (2002), which colour-blind visitors tell apart
export const COLOURS = [
  "#0072b2",
  "#e69f00",
  "#009e73",
  "#cc79a7",
  "#56b4e9",
  "#d55e00",
  "#f0e442",
  "#999999",
];

/** @param {TargetEntry[]} target @returns {string} equal for equal targets */
const keyOf = (target) => JSON.stringify(target);

/**
 * The words for a target.
 *
 * @param {TargetEntry[]} target
 * @returns {string}
 */
export function wordsOf(target) {
  const total = target.reduce((sum, { weight }) => sum + weight, 0) || 1;
  if (target.length === 1) return target[0].name;
  return target.map(({ name, weight }) => `${Math.round((100 * weight) / total)} % ${name}`).join(", ");
}

export class Palette {
  /** @type {TargetEntry[][]} */
  targets = [];
  /** @type {number | null} number of the entry that the brush has; null: a target that is no entry yet */
  active = null;

  /**
   * @param {HTMLElement} element
   * @param {number} most entries
   * @param {() => void} chosen called when the visitor chooses an entry
   */
  constructor(element, most, chosen) {
    this.element = element;
    this.most = most;
    element.addEventListener("click", (event) => {
      const button = closest(event, "button");
      if (!button) return;
      this.choose(Number(button.dataset.number));
      chosen();
    });
  }

  /** Give an entry to the brush. @param {number | null} number */
  choose(number) {
    this.active = number;
    this.draw();
  }

  /** Give a target to the brush, which may be in the palette or not. @param {TargetEntry[]} target */
  take(target) {
    const known = this.targets.findIndex((other) => keyOf(other) === keyOf(target));
    this.choose(known < 0 ? null : known);
  }

  /**
   * Add a target and give it to the brush.
   *
   * @param {TargetEntry[]} target
   * @param {Set<number>} used numbers that plans have; others are free
   * @returns {number | null} its number; null if the palette is full
   */
  add(target, used) {
    let number = this.targets.length;
    if (number >= this.most) number = this.targets.findIndex((_, k) => !used.has(k));
    if (number < 0) return null;
    this.targets[number] = target;
    this.choose(number);
    return number;
  }

  /** Have these entries and no others; the brush has the first. @param {TargetEntry[][]} targets */
  replace(targets) {
    this.targets = targets;
    this.choose(0);
  }

  /**
   * Change the entry that the brush has.
   *
   * @param {TargetEntry[]} target
   * @returns {boolean} whether there is one, and it had another target
   */
  change(target) {
    if (this.active === null || keyOf(this.targets[this.active]) === keyOf(target)) return false;
    this.targets[this.active] = target;
    this.draw();
    return true;
  }

  draw() {
    const buttons = this.targets.map((target, number) => {
      const words = wordsOf(target);
      const button = make("button", {
        type: "button",
        title: `Paint with ${words}`,
        ariaLabel: words,
      });
      button.dataset.number = String(number);
      button.setAttribute("aria-pressed", String(number === this.active));
      button.style.setProperty("--colour", COLOURS[number]);
      button.append(...target.slice(0, 3).map(({ name }) => thumbnail(name)));
      return button;
    });
    this.element.replaceChildren(...buttons);
  }
}

/** The thumbnail that the map has of a texture. @param {string} name */
function thumbnail(name) {
  const icon = make("i");
  for (const dot of document.querySelectorAll(".map-panel .dot")) {
    if (!(dot instanceof HTMLElement) || dot.dataset.name !== name) continue;
    icon.style.cssText = dot.style.cssText;
    icon.style.transform = "";
    icon.className = dot.classList.contains("user-texture") ? "user-texture" : "";
  }
  return icon;
}
