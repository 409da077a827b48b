// The search for a texture by its name or its family: it fades the others and flies to what it has found, and
// Enter picks the first result.
import { find } from "../shared/dom.js";

const PAUSE_MS = 350; // of typing, before the map flies to what is found

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
 * Return the names that contain a text, or whose family does; those that begin with it come first, those of
 * the family last.
 *
 * @param {string[]} names
 * @param {string} text
 * @param {Map<string, string>} [families] by name
 * @returns {string[]} none if the text holds no letter or digit
 */
export function matches(names, text, families = new Map()) {
  const searched = simplified(text);
  if (!searched) return [];
  const rank = (/** @type {string} */ name) => {
    const own = simplified(name);
    if (own.startsWith(searched)) return 0;
    if (own.includes(searched)) return 1;
    return simplified(families.get(name) ?? "").includes(searched) ? 2 : 3;
  };
  return names.filter((name) => rank(name) < 3).sort((a, b) => rank(a) - rank(b));
}

export class Search {
  #timer = 0;

  /**
   * @param {import("./panel.js").MapPanel} panel
   * @param {import("./thumbnails.js").Thumbnails} thumbnails
   * @param {import("./flight.js").Flight} flight
   */
  constructor(panel, thumbnails, flight) {
    this.flight = flight;
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
    return matches([...this.thumbnails.buttons.keys()], this.input.value, this.panel.families.of);
  }

  #show() {
    const names = this.#found();
    this.thumbnails.setFound(this.isActive ? names : null);
    window.clearTimeout(this.#timer);
    if (names.length) this.#timer = window.setTimeout(() => this.#fly(names), PAUSE_MS);
    else if (!this.isActive) this.flight.back();
    if (!this.isActive) this.panel.say(this.panel.invitation);
    else if (!names.length) this.panel.say("No texture has that name.");
    else
      this.panel.say(
        names.slice(0, 3).join(", ") + (names.length > 3 ? `, and ${names.length - 3} more` : ""),
      );
  }

  /** @param {string[]} names */
  #fly(names) {
    this.flight.to(names.map((name) => this.thumbnails.centre(name)));
  }

  /** @param {KeyboardEvent} event */
  #key({ key, shiftKey }) {
    if (key !== "Escape" && key !== "Enter") return;
    const [first] = this.#found();
    if (key === "Enter" && first) {
      this.panel.pick(first, shiftKey || this.panel.isMixing);
      this.#fly([first]);
      this.flight.stay();
    }
    if (key === "Escape" || first) this.input.value = "";
    this.#show();
  }
}
