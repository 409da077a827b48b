// The ring: its position on the map sets the mixture, see `mixtureAt`.
import { find } from "../shared/dom.js";
import { emit } from "../shared/events.js";
import { mixtureAt, shareOf, percentOf } from "./target.js";
import { clamp } from "./view.js";

/** @typedef {import("./view.js").Position} Position */

const STEP = 0.02; // of an arrow key, as a share of the map's width; a quarter of it with Shift
/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Ring {
  /**
   * @type {{ position: Position, target: string } | null} where the visitor put it, and the target as JSON
   */
  #put = null;

  /** @param {import("./panel.js").MapPanel} panel @param {import("./thumbnails.js").Thumbnails} thumbnails */
  constructor(panel, thumbnails) {
    this.panel = panel;
    this.thumbnails = thumbnails;
    this.button = find(panel.section, ".ring");
    panel.on("arrange", () => this.forget());
    panel.on("move", () => this.#draw());
    this.button.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Where the visitor put it, until the target changes; then the weighted mean of the thumbnails. */
  get position() {
    const { target } = this.panel;
    if (this.#put?.target === JSON.stringify(target)) return this.#put.position;
    const mean = { x: 0, y: 0 };
    for (const entry of target.filter(({ name }) => this.thumbnails.buttons.has(name))) {
      const { x, y } = this.thumbnails.centre(entry.name);
      mean.x += shareOf(target, entry) * x;
      mean.y += shareOf(target, entry) * y;
    }
    return mean;
  }

  /** Put it on a position, or on the nearest one of the map, during a drag. @param {Position} position */
  put({ x, y }) {
    const { size } = this.panel.view;
    const { moves } = this.thumbnails;
    const position = { x: clamp(x, 0, 1), y: clamp(y, 0, 1) };
    const target = mixtureAt(position, this.thumbnails.centres(), size.height / size.width).map((entry) => {
      const move = moves.get(entry.name);
      return move ? { ...entry, move } : entry;
    });
    this.#put = { position, target: JSON.stringify(target) };
    this.panel.setTarget(target);
    emit("move", target);
  }

  /** Return to the mean of the thumbnails. */
  forget() {
    this.#put = null;
  }

  #draw() {
    const { target } = this.panel;
    this.thumbnails.put(this.button, this.position);
    const mixture = target.map((entry) => `${percentOf(target, entry)} % ${entry.name}`).join(", ");
    this.button.setAttribute("aria-label", `Ring at ${mixture}. Arrow keys move it, Enter samples.`);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const step = arrowStep(event, this.panel.view);
    if (step) {
      if (!this.panel.dragging) this.panel.startDrag();
      const { x, y } = this.position;
      this.put({ x: x + step.x, y: y + step.y });
    } else if (event.key === "Enter") {
      if (this.panel.dragging) this.panel.endDrag();
      else this.panel.trigger("release");
    } else return;
    event.preventDefault();
  }
}

/**
 * The step of an arrow key over the map, which has the same length on the screen at every zoom.
 *
 * @param {KeyboardEvent} event
 * @param {import("./view.js").View} view
 * @returns {Position | null} null for other keys
 */
export function arrowStep({ key, shiftKey }, view) {
  const direction = ARROWS[key];
  if (!direction) return null;
  const length = (shiftKey ? STEP / 4 : STEP) / view.shownTransform.zoom;
  const { width, height } = view.size;
  return { x: length * direction[0], y: (length * direction[1] * width) / height };
}
