// The search for a texture by its name: it fades the others, and Enter picks the first result.
import { find } from "../shared/dom.js";

/**
 * @param {string} text
 * @returns {string} letters, with their accents, and digits in lower case, with single spaces between
 */
export const simplified = (text) =>
  text
    .normalize("NFC")
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, " ")
    .trim();

/**
 * Return the names that contain a text; those that begin with it come first.
 *
 * @param {string[]} names
 * @param {string} text
 * @returns {string[]} none if the text holds no letter or digit
 */
export function matches(names, text) {
  const searched = simplified(text);
  if (!searched) return [];
  const rank = (/** @type {string} */ name) => (simplified(name).startsWith(searched) ? 0 : 1);
  return names.filter((name) => simplified(name).includes(searched)).sort((a, b) => rank(a) - rank(b));
}

export class Search {
  /** @param {import("./panel.js").MapPanel} panel @param {import("./thumbnails.js").Thumbnails} thumbnails */
  constructor(panel, thumbnails) {
    this.panel = panel;
    this.thumbnails = thumbnails;
    this.input = find(panel.section, ".search", HTMLInputElement);
    this.input.addEventListener("input", () => this.#show());
    this.input.addEventListener("keydown", (event) => this.#key(event));
  }

  get isActive() {
    return simplified(this.input.value) !== "";
  }

  #found() {
    return matches([...this.thumbnails.buttons.keys()], this.input.value);
  }

  #show() {
    const names = this.#found();
    this.thumbnails.setFound(this.isActive ? names : null);
    if (!this.isActive) this.panel.say(this.panel.invitation);
    else if (!names.length) this.panel.say("No texture has that name.");
    else
      this.panel.say(
        names.slice(0, 3).join(", ") + (names.length > 3 ? `, and ${names.length - 3} more` : ""),
      );
  }

  /** @param {KeyboardEvent} event */
  #key({ key, shiftKey }) {
    if (key !== "Escape" && key !== "Enter") return;
    const [first] = this.#found();
    if (key === "Enter" && first) this.panel.pick(first, shiftKey || this.panel.isMixing);
    if (key === "Escape" || first) this.input.value = "";
    this.#show();
  }
}
