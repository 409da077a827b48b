// Paths of samples over the map: the positions of the images of the newest run after each step.
import { on } from "../shared/events.js";

/** @typedef {import("../shared/events.js").Point} Point */
/** @typedef {import("../shared/events.js").Occurrences["path"]} PathStep */

const HALO_WIDTH = 4;
const LINE_WIDTH = 1.5;

export class Paths {
  #run = -1;
  /** @type {PathStep[]} of the run, in order */
  #steps = [];

  /**
   * @param {import("./panel.js").MapPanel} panel
   * @param {CanvasRenderingContext2D} context
   * @param {() => import("./canvas.js").Theme} theme
   */
  constructor(panel, context, theme) {
    this.panel = panel;
    this.context = context;
    this.theme = theme;
    panel.on("paint", () => this.#paint());
    on("path", (step) => {
      if (step.run !== this.#run) this.#steps = [];
      this.#run = step.run;
      this.#steps = [...this.#steps.filter(({ index }) => index < step.index), step];
      panel.repaint();
    });
  }

  #paint() {
    const { view, section } = this.panel;
    const steps = view.isMap
      ? this.#steps.map(({ positions }) => positions[view.projection]).filter(Boolean)
      : [];
    section.dataset.path = String(steps.length);
    const images = steps.length ? steps[steps.length - 1].length : 0;
    for (let image = 0; image < images; image += 1) {
      const points = steps.filter((step) => step[image]).map((step) => step[image]);
      this.#paintPath(points.map(([x, y]) => view.toPixel({ x, y })));
    }
  }

  /** @param {import("./view.js").Position[]} pixels */
  #paintPath(pixels) {
    const { context } = this;
    const { raised, ink } = this.theme();
    const end = pixels[pixels.length - 1];
    context.lineJoin = context.lineCap = "round";
    for (const { colour, width } of [
      { colour: raised, width: HALO_WIDTH },
      { colour: ink, width: LINE_WIDTH },
    ]) {
      context.strokeStyle = context.fillStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      for (const { x, y } of pixels) context.lineTo(x, y);
      context.stroke();
      context.beginPath();
      context.arc(end.x, end.y, 2.5 + width / 2, 0, 2 * Math.PI);
      context.fill();
    }
  }
}
