// The class nearest to the target in feature space, and its distance there: distances on the map deceive.
// During a drag, answers of the preview hold both; otherwise the map asks the server.
import { find } from "../shared/dom.js";
import { emit, on } from "../shared/events.js";
import { latest } from "../shared/latest.js";
import { current } from "../shared/session.js";

/** @typedef {import("../shared/events.js").Nearest} Nearest */

const SAME = 0.02; // distance in units of the spacing, up to which a target is the class itself
const CLOSE = 0.5;

/**
 * What the target is, in words.
 *
 * @param {Nearest} nearest
 */
export function nearestWords({ name, distance, spacing }) {
  const share = distance / Math.max(spacing, 1e-9);
  if (share <= SAME) return `This is ${name}.`;
  if (share < CLOSE) return `Close to ${name}.`;
  if (share < 1) return `Between textures; ${name} is the nearest.`;
  return `Unlike any texture; ${name} is the nearest.`;
}

export class TrueDistance {
  /** @type {Nearest | null} */
  #nearest = null;
  #measured = ""; // the target that `#nearest` is of, as JSON

  /**
   * @param {import("./panel.js").MapPanel} panel
   * @param {import("./thumbnails.js").Thumbnails} thumbnails
   * @param {import("./ring.js").Ring} ring
   */
  constructor(panel, thumbnails, ring) {
    this.panel = panel;
    this.thumbnails = thumbnails;
    this.ring = ring;
    this.element = find(panel.section, ".true-distance");
    const measure = latest(() => this.#measure());
    panel.on("target", () => void measure(undefined));
    panel.on("paint", () => this.#draw());
    on("nearest", (nearest) => panel.dragging && this.#show(nearest));
    on("drag", (dragging) => {
      this.#measured = "";
      if (!dragging) void measure(undefined);
    });
  }

  async #measure() {
    const { target, dragging, server } = this.panel;
    const asked = JSON.stringify(target);
    if (dragging || asked === this.#measured) return;
    this.#measured = asked;
    /** @returns {null} */
    const noAnswer = () => {
      emit("no-answer");
      return null;
    };
    const visitor = current("visitor") ?? null;
    const answer = target.length ? await server.map_true_distance({ target, visitor }).catch(noAnswer) : null;
    if (!this.panel.dragging) this.#show(answer?.name ? answer : null);
  }

  /** @param {Nearest | null} nearest */
  #show(nearest) {
    this.#nearest = nearest;
    this.element.dataset.distance = String(nearest?.distance ?? "");
    this.panel.repaint();
  }

  #draw() {
    const text = this.#nearest ? nearestWords(this.#nearest) : "";
    if (this.element.textContent !== text) this.element.textContent = text;
    const numbers = this.#nearest ? this.#numbers(this.#nearest) : "";
    if (this.element.title !== numbers) this.element.title = numbers;
  }

  /** The distances, which on the map deceive. @param {Nearest} nearest */
  #numbers({ name, distance, spacing }) {
    const truly =
      `In feature space ${name} is ${distance.toFixed(2)} away, and ${spacing.toFixed(2)} from the next ` +
      "texture (1 is the spread of the crops of one texture).";
    const { view } = this.panel;
    const home = this.thumbnails.placements.get(name); // its place, though it may have been dragged away
    if (!view.isMap || !home) return truly;
    const { x, y } = this.ring.position;
    const onMap = Math.hypot(x - home.x, ((y - home.y) * view.size.height) / view.size.width);
    return `${truly} On the map it is ${Math.round(100 * onMap)} % of the width away.`;
  }
}
