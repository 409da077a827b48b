// The class nearest to the target in feature space, and its distance there: distances on the map deceive.
// During a drag, answers of the preview hold both; otherwise the map asks the server.
import { find } from "../shared/dom.js";
import { emit, on } from "../shared/events.js";
import { latest } from "../shared/latest.js";
import { current } from "../shared/session.js";

/** @typedef {{ name: string, distance: number }} Nearest */

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
    const text = this.#nearest ? this.#sentence(this.#nearest) : "";
    if (this.element.textContent !== text) this.element.textContent = text;
  }

  /** @param {Nearest} nearest */
  #sentence({ name, distance }) {
    const sentence = `nearest: ${name} · truly ${distance.toFixed(2)}`;
    const { view } = this.panel;
    const home = this.thumbnails.placements.get(name); // its place, though it may have been dragged away
    if (!view.isMap || !home) return sentence;
    const { x, y } = this.ring.position;
    const onMap = Math.hypot(x - home.x, ((y - home.y) * view.size.height) / view.size.width);
    return `${sentence} · on the map ${Math.round(100 * onMap)} %`;
  }
}
