// Families of textures, such as "sand": which texture belongs to which, and the row of buttons that lets some
// of them stand out.
import { closest, findAll } from "../shared/dom.js";

export const COLOURS = 13; // that map.css has for families; further families use them again

export class Families {
  /** @type {Map<string, string>} by texture; those of no family are left out */
  of;
  /** @type {string[]} in the order of their buttons */
  names;
  /** @type {Set<string>} families that stand out; empty: all */
  chosen = new Set();

  /**
   * @param {HTMLElement} section of the map
   * @param {() => void} changed called when the visitor has chosen others
   */
  constructor(section, changed) {
    const dots = findAll(section, ".dot[data-family]");
    this.of = new Map(dots.map(({ dataset }) => [dataset.name ?? "", dataset.family ?? ""]));
    this.buttons = findAll(section, ".families button");
    this.names = this.buttons.map((button) => button.dataset.family ?? "").filter((name) => name);
    /** @type {Map<string, number>} textures of each family */
    this.sizes = new Map();
    for (const family of this.of.values()) this.sizes.set(family, (this.sizes.get(family) ?? 0) + 1);
    const row = section.querySelector(".families");
    row?.addEventListener("wheel", (event) => scrollAcross(row, /** @type {WheelEvent} */ (event)));
    row?.addEventListener("click", (event) => {
      const name = closest(event, "button")?.dataset.family;
      if (name === undefined) return;
      if (name === "") this.chosen.clear();
      else if (!this.chosen.delete(name)) this.chosen.add(name);
      for (const button of this.buttons) {
        const family = button.dataset.family ?? "";
        const pressed = family ? this.chosen.has(family) : !this.chosen.size;
        button.setAttribute("aria-pressed", String(pressed));
      }
      changed();
    });
  }

  get isFiltering() {
    return this.chosen.size > 0;
  }

  /** Whether a texture stands out, or no family was chosen. @param {string} name */
  includes(name) {
    return !this.isFiltering || this.chosen.has(this.of.get(name) ?? "");
  }

  /**
   * Textures by family, in the order of the families; at the end those of none, under an empty name.
   *
   * @param {string[]} names
   * @returns {Map<string, string[]>}
   */
  grouped(names) {
    /** @type {Map<string, string[]>} */
    const groups = new Map([...this.names, ""].map((family) => [family, []]));
    for (const name of names) groups.get(this.of.get(name) ?? "")?.push(name);
    for (const [family, members] of groups) if (!members.length) groups.delete(family);
    return groups;
  }
}

/** A wheel that turns one way only scrolls the row too. @param {Element} row @param {WheelEvent} event */
function scrollAcross(row, event) {
  if (row.scrollWidth <= row.clientWidth || event.deltaX) return;
  row.scrollLeft += event.deltaY;
  event.preventDefault();
}
