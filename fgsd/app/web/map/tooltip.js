// The tooltip of the crop under the pointer: its picture, its class and the nearest classes.
import { find, make } from "../shared/dom.js";

/** @typedef {import("./view.js").Position} Position */

const GAP = 14; // pixels between the crop and the tooltip
const MARGIN = 6; // pixels between the tooltip and the map's edge

export class Tooltip {
  #crop = -1;

  /**
   * @param {import("./panel.js").MapPanel} panel
   * @param {import("./crops.js").Crops} crops
   * @param {import("./requests.js").Requests} requests
   */
  constructor(panel, crops, requests) {
    this.panel = panel;
    this.crops = crops;
    this.requests = requests;
    this.element = find(panel.section, ".tooltip");
    panel.map.addEventListener("pointerleave", () => this.hide());
  }

  hide() {
    if (this.#crop < 0) return;
    this.#crop = -1;
    this.element.hidden = true;
    this.crops.highlight(null);
  }

  /** Show the crop at a pixel, if there is one. @param {Position} pixel */
  async showAt(pixel) {
    const crop = this.crops.at(pixel);
    const { labels, positions } = this.crops;
    if (crop === this.#crop) return;
    if (crop < 0 || !labels || !positions) return void this.hide();
    this.#crop = crop;
    const { classes } = this.panel.data;
    const { view } = this.panel;
    this.crops.highlight(classes[labels[crop]]);
    const answer = await this.requests.ask("map_crop", { crop, level: view.level }).catch(() => null);
    if (!answer || this.#crop !== crop) return;
    this.#fill(answer);
    this.#placeBeside(view.toPixel({ x: positions[2 * crop], y: positions[2 * crop + 1] }));
  }

  /** @param {{ src: string | null, name: string, near: [string, number][] }} answer */
  #fill({ src, name, near }) {
    const image = find(this.element, "img", HTMLImageElement);
    image.hidden = !src;
    if (src) image.src = src;
    const nearest = near.map(([other, distance]) =>
      make("li", {}, `${other} `, make("i", { textContent: distance.toFixed(2) })),
    );
    find(this.element, "figcaption").replaceChildren(
      make("b", { textContent: name }),
      make("span", { textContent: "nearest centroids" }),
      make("ol", {}, ...nearest),
    );
  }

  /** @param {Position} pixel */
  #placeBeside({ x, y }) {
    this.element.hidden = false;
    const { offsetWidth: width, offsetHeight: height } = this.element;
    const { size } = this.panel.view;
    const left = x + GAP + width > size.width ? x - GAP - width : x + GAP;
    const top = Math.min(size.height - height - MARGIN, Math.max(MARGIN, y - height / 2));
    this.element.style.transform = `translate(${Math.max(MARGIN, left)}px, ${top}px)`;
  }
}
