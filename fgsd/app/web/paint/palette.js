// The palette of a painting: the target of each region. A stroke takes the target that the map says, and adds
// it if it is new. While an entry is selected, the map changes its target instead.
import { make } from "../shared/dom.js";

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
  /** @type {number | null} number of the entry that follows the map */
  selected = null;

  /**
   * @param {HTMLElement} element
   * @param {number} most entries
   * @param {() => void} changed called when the selection changes
   */
  constructor(element, most, changed) {
    this.element = element;
    this.most = most;
    element.addEventListener("click", (event) => {
      const target = /** @type {Element} */ (event.target).closest("button");
      if (!target) return;
      const number = Number(target.dataset.number);
      this.selected = this.selected === number ? null : number;
      this.draw();
      changed();
    });
  }

  /**
   * The number of a target, which is added if it is new.
   *
   * @param {TargetEntry[]} target
   * @param {Set<number>} used numbers that the plan has; others are free
   * @returns {number | null} null if the palette is full
   */
  numberOf(target, used) {
    const known = this.targets.findIndex((other) => keyOf(other) === keyOf(target));
    if (known >= 0) return known;
    let number = this.targets.length;
    if (number >= this.most) number = this.targets.findIndex((_, k) => !used.has(k));
    if (number < 0) return null;
    this.targets[number] = target;
    this.draw();
    return number;
  }

  /** The selected entry follows the map. @param {TargetEntry[]} target @returns {boolean} whether one does */
  follow(target) {
    if (this.selected === null || keyOf(this.targets[this.selected]) === keyOf(target)) return false;
    this.targets[this.selected] = target;
    this.draw();
    return true;
  }

  draw() {
    const buttons = this.targets.map((target, number) => {
      const words = wordsOf(target);
      const button = make("button", {
        type: "button",
        title: `${words}. Select it to change it on the map.`,
        ariaLabel: words,
      });
      button.dataset.number = String(number);
      button.setAttribute("aria-pressed", String(number === this.selected));
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
