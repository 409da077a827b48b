// The lasso: the mean of what it encloses becomes the target.
import { find } from "../shared/dom.js";
import { NOTICE_MS } from "./panel.js";
import { isInside } from "./polygon.js";
import { mixtureOfCounts } from "./target.js";

/** @typedef {import("./view.js").Position} Position */

export class Lasso {
  /** @type {Position[]} what is drawn right now */
  #outline = [];

  /**
   * @param {import("./panel.js").MapPanel} panel
   * @param {import("./thumbnails.js").Thumbnails} thumbnails
   * @param {import("./crops.js").Crops} crops
   * @param {CanvasRenderingContext2D} context
   * @param {() => import("./canvas.js").Theme} theme
   */
  constructor(panel, thumbnails, crops, context, theme) {
    this.panel = panel;
    this.thumbnails = thumbnails;
    this.crops = crops;
    this.button = find(panel.section, ".lasso");
    panel.on("paint", () => this.#paint(context, theme().accent));
    this.button.addEventListener("click", () => this.toggle());
  }

  get isOn() {
    return this.button.getAttribute("aria-pressed") === "true";
  }

  toggle() {
    const on = !this.isOn;
    this.button.setAttribute("aria-pressed", String(on));
    this.panel.section.classList.toggle("lassoing", on);
    this.panel.say(on ? "Draw round what you want." : this.panel.invitation);
  }

  /** @param {Position[]} outline */
  setOutline(outline) {
    this.#outline = outline;
    this.panel.repaint();
  }

  /**
   * Choose the mixture of the crops inside of an outline, or of the thumbnails if no crops are shown.
   *
   * @param {Position[]} outline
   */
  choose(outline) {
    /** @type {Map<string, number>} */
    const counts = new Map();
    for (const name of this.crops.isReady
      ? this.crops.classesInside(outline)
      : this.#thumbnailsInside(outline)) {
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    this.toggle();
    const all = [...counts.values()].reduce((sum, count) => sum + count, 0);
    if (!all) return this.panel.say("There is nothing inside.", NOTICE_MS);
    this.panel.choose(mixtureOfCounts(counts, this.panel.data.maxClasses));
    return this.panel.say(
      `${all} inside, of ${counts.size} ${counts.size === 1 ? "texture" : "textures"}.`,
      NOTICE_MS,
    );
  }

  /** @param {Position[]} outline */
  #thumbnailsInside(outline) {
    return [...this.thumbnails.centres()]
      .filter(([, { x, y }]) => isInside(outline, x, y))
      .map(([name]) => name);
  }

  /** @param {CanvasRenderingContext2D} context @param {string} colour */
  #paint(context, colour) {
    if (!this.#outline.length) return;
    context.save();
    context.beginPath();
    for (const position of this.#outline) {
      const { x, y } = this.panel.view.toPixel(position);
      context.lineTo(x, y);
    }
    context.closePath();
    context.fillStyle = context.strokeStyle = colour;
    context.globalAlpha = 0.15;
    context.fill();
    context.globalAlpha = 0.9;
    context.lineWidth = 1.5;
    context.lineCap = "round";
    context.setLineDash([3, 5]);
    context.stroke();
    context.restore();
  }
}
