// The training crops as points: where they are, which classes they belong to, and their colours.
import { Animation } from "./animation.js";
import { legible, packColour, viridis } from "./colours.js";
import { decodePositions, decodeShorts } from "./data.js";
import { isInside } from "./polygon.js";
import { ARRANGE_MS } from "./thumbnails.js";

/** @typedef {import("./view.js").Position} Position */

const HIT_RADIUS = 8; // pixels within which the pointer finds a crop
const MAX_PREFETCHED = 20_000; // crops: with more, the neighbouring noise levels are not fetched ahead

export class Crops {
  /** @type {Float32Array | null} x, y of each crop as shown now */
  positions = null;
  /** @type {Uint16Array | null} index of each crop's class */
  labels = null;
  /** @type {string | null} name of the class whose crops stand out; null: those of the target */
  highlighted = null;
  /** @type {Uint8Array | null} one feature of each crop, if that colours them */
  #values = null;
  #animation = new Animation();

  /**
   * @param {import("./panel.js").MapPanel} panel
   * @param {import("./requests.js").Requests} requests
   * @param {() => import("./canvas.js").Theme} theme
   */
  constructor(panel, requests, theme) {
    this.panel = panel;
    this.requests = requests;
    this.theme = theme;
    this.count = panel.data.cropCount;
    this.colours = new Uint32Array(this.count);
  }

  /** Whether crops are on the screen. */
  get isReady() {
    return this.panel.view.isMap && this.positions !== null && this.labels !== null;
  }

  /** Move all crops to where the view has them. @param {number} [ms] */
  async show(ms = ARRANGE_MS) {
    if (!this.count) return;
    const { view, section } = this.panel;
    const { projection, level } = view;
    const goal = await this.#positionsOf(projection, level).catch(() => null);
    if (!goal || projection !== view.projection || level !== view.level) return; // the view has changed since
    if (!this.labels) {
      this.labels = decodeShorts((await this.requests.ask("map_labels", null)).labels);
      this.recolour();
    }
    const start = this.positions?.slice();
    this.positions ??= goal.slice();
    const { positions } = this;
    this.#animation.run(start ? ms : 0, (share) => {
      const from = start ?? goal;
      for (let k = 0; k < goal.length; k += 1) positions[k] = from[k] + share * (goal[k] - from[k]);
      this.panel.repaint();
    });
    section.dataset.points = `${projection}-${level}`;
    if (this.count <= MAX_PREFETCHED) this.#prefetch(projection, level);
  }

  /** Colour crops by a value each, from 0 to 255; null: by class. @param {Uint8Array | null} values */
  colourBy(values) {
    this.#values = values;
    this.recolour();
  }

  get isColouredByValue() {
    return this.#values !== null;
  }

  /** Compute all colours again, for example after a change of the theme. */
  recolour() {
    const { labels, colours } = this;
    if (labels) {
      const values = this.#values;
      const scale = values
        ? Array.from({ length: 256 }, (_, k) => packColour(viridis(k / 255)))
        : this.#classColours();
      for (let k = 0; k < this.count; k += 1) colours[k] = scale[values ? values[k] : labels[k]];
    }
    this.panel.repaint();
  }

  /** Let the crops of a class stand out; null: those of the target. @param {string | null} name */
  highlight(name) {
    if (name === this.highlighted) return;
    this.highlighted = name;
    this.panel.repaint();
  }

  /** The class of each crop inside of a polygon. @param {Position[]} polygon @returns {string[]} */
  classesInside(polygon) {
    const { positions, labels } = this;
    if (!positions || !labels) return [];
    const names = [];
    for (let k = 0; k < this.count; k += 1) {
      if (isInside(polygon, positions[2 * k], positions[2 * k + 1]))
        names.push(this.panel.data.classes[labels[k]]);
    }
    return names;
  }

  /** The crop nearest to a pixel; -1 if none is near. @param {Position} pixel */
  at(pixel) {
    const { view } = this.panel;
    const { positions } = this;
    if (!view.isMap || !positions) return -1;
    const { x, y } = view.toPosition(pixel);
    const scaleX = view.transform.zoom * view.size.width;
    const scaleY = view.transform.zoom * view.size.height;
    let [nearest, found] = [HIT_RADIUS ** 2, -1];
    for (let k = 0; k < this.count; k += 1) {
      const d = ((positions[2 * k] - x) * scaleX) ** 2 + ((positions[2 * k + 1] - y) * scaleY) ** 2;
      if (d < nearest) [nearest, found] = [d, k];
    }
    return found;
  }

  #classColours() {
    const { classes, colours } = this.panel.data;
    const { dark } = this.theme();
    return classes.map((_, k) =>
      packColour(legible([colours[3 * k], colours[3 * k + 1], colours[3 * k + 2]], dark)),
    );
  }

  /** @param {string} projection @param {number} level @returns {Promise<Float32Array>} */
  #positionsOf(projection, level) {
    const { range } = this.panel.data;
    return this.requests.ask("map_points", { projection, level }, ({ points }) =>
      decodePositions(points, range),
    );
  }

  // Fetch what the visitor may look at next: neighbouring noise levels and other projections.
  /** @param {string} projection @param {number} level */
  #prefetch(projection, level) {
    const { projections, sigmas } = this.panel.data;
    for (const near of [level + 1, level - 1]) {
      if (near >= 0 && near < sigmas.length) this.#positionsOf(projection, near).catch(() => null);
    }
    for (const other of projections) this.#positionsOf(other, level).catch(() => null);
  }
}
