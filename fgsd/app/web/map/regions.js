// Paints families as coloured regions behind the thumbnails, and their names over them.
import { make } from "../shared/dom.js";
import { fitCanvas } from "./canvas.js";
import { mapLayout } from "./layout.js";
import { COLOURS } from "./families.js";
import { GRID, regionField } from "./region_field.js";

/** @typedef {import("./view.js").Position} Position */
/** @typedef {import("./detail.js").Box} Box */
/** @typedef {{ family: string, box: Box }} Label a family's name, and the pixels that it takes */
/** @typedef {{ family: string, boxes: Box[] }} Candidate a family's name; the best of its boxes first */

const OPACITY = { light: 0.42, dark: 0.5 }; // of a region where it is strongest
const FADED = 0.15; // of that, for families that are not chosen
const FONT = "600 11px system-ui, sans-serif";
const LABEL = { height: 18, dot: 13, edge: 6 }; // pixels

export class Regions {
  #canvas = make("canvas", { width: GRID.columns, height: GRID.rows });
  #fields = new Map(); // by projection and noise level
  #painted = ""; // what #canvas shows
  /** @type {Map<string, ImageBitmap>} of the families' names */
  #pictures = new Map();
  /** @type {Map<string, number>} widths of the families' names in pixels */
  #widths = new Map();

  /**
   * @param {import("./panel.js").MapPanel} panel
   * @param {import("./thumbnails.js").Thumbnails} thumbnails
   * @param {CanvasRenderingContext2D} ground behind all thumbnails and crops
   * @param {CanvasRenderingContext2D} over before all thumbnails
   * @param {() => import("./canvas.js").Theme} theme
   */
  constructor(panel, thumbnails, ground, over, theme) {
    this.panel = panel;
    this.thumbnails = thumbnails;
    this.over = over;
    this.theme = theme;
    if (!panel.families.names.length) {
      ground.canvas.remove();
      return;
    }
    thumbnails.labels = () => this.#labels();
    panel.on("paint", () => {
      this.#paint(ground);
      this.#paintLabels();
    });
  }

  /** @returns {import("./region_field.js").Field} */
  get #field() {
    const { view, data, families } = this.panel;
    const key = `${view.projection}-${view.level}`;
    if (!this.#fields.has(key)) {
      const placements = mapLayout(data, new Map(), view.projection, view.level);
      const members = [...placements.keys()].map((name) =>
        families.names.indexOf(families.of.get(name) ?? ""),
      );
      const width = Math.max(0.03, 0.9 * data.side);
      const aspect = view.size.width / view.size.height;
      const field = regionField([...placements.values()], members, families.names.length, width, aspect);
      this.#fields.set(key, field);
    }
    return this.#fields.get(key);
  }

  /** @param {CanvasRenderingContext2D} context */
  #paint(context) {
    const { view } = this.panel;
    const { size } = view;
    const ratio = fitCanvas(context.canvas, size);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, context.canvas.width, context.canvas.height);
    if (!view.isMap) return;
    this.#paintField();
    const { zoom, x, y } = view.transform;
    const [low, extent] = [GRID.low, GRID.high - GRID.low];
    context.imageSmoothingQuality = "low"; // bilinear; the field is smooth
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.drawImage(
      this.#canvas,
      x + zoom * low * size.width,
      y + zoom * low * size.height,
      zoom * extent * size.width,
      zoom * extent * size.height,
    );
  }

  #paintField() {
    const { view, families } = this.panel;
    const { dark, families: colours } = this.theme();
    const key = [view.projection, view.level, dark, ...families.chosen].join();
    if (key === this.#painted) return;
    this.#painted = key;
    const { owner, strength } = this.#field;
    const context = /** @type {CanvasRenderingContext2D} */ (this.#canvas.getContext("2d"));
    const image = context.createImageData(GRID.columns, GRID.rows);
    const opacity = 255 * (dark ? OPACITY.dark : OPACITY.light);
    const shares = families.names.map((name) =>
      !families.isFiltering || families.chosen.has(name) ? opacity : FADED * opacity,
    );
    for (const [cell, family] of owner.entries()) {
      if (family < 0) continue;
      image.data.set([...colours[family % COLOURS], shares[family] * strength[cell]], 4 * cell);
    }
    context.putImageData(image, 0, 0);
  }

  /** The names of families that are in sight; the largest families come first. @returns {Candidate[]} */
  #labels() {
    const { view, families } = this.panel;
    if (!view.isMap) return [];
    const { places } = this.#field;
    const { width, height } = view.size;
    const labels = families.names.map((family, k) => {
      if (families.isFiltering && !families.chosen.has(family)) return { family, boxes: [] };
      const [halfX, halfY] = [this.#width(family) / 2, LABEL.height / 2];
      const boxes = places[k].map((place) => {
        const { x, y } = view.toPixel(place);
        return { left: x - halfX, right: x + halfX, top: y - halfY, bottom: y + halfY };
      });
      const inside = (/** @type {Box} */ box) =>
        box.left >= 0 && box.top >= 0 && box.right <= width && box.bottom <= height;
      return { family, boxes: boxes.filter(inside) };
    });
    const size = (/** @type {Candidate} */ { family }) => families.sizes.get(family) ?? 0;
    return labels.sort((one, other) => size(other) - size(one));
  }

  /** The names over the blocks of the grid. @returns {Label[]} */
  #headings() {
    const { width, height } = this.panel.view.size;
    return this.thumbnails.headings.map(({ family, x, y }) => {
      const [left, middle] = [x * width - LABEL.edge + 2, y * height];
      const box = { left, right: left + this.#width(family), top: middle - 9, bottom: middle + 9 };
      return { family: family || "others", box };
    });
  }

  /** @param {string} family */
  #width(family) {
    let width = this.#widths.get(family);
    if (width === undefined) {
      this.over.font = FONT;
      width = this.over.measureText(family).width + LABEL.dot + 2 * LABEL.edge;
      this.#widths.set(family, width);
    }
    return width;
  }

  #paintLabels() {
    const { over: context, panel } = this;
    const shown = panel.view.isMap ? this.thumbnails.placedLabels : this.#headings();
    for (const { family, box } of shown) {
      const [width, height] = [box.right - box.left, box.bottom - box.top];
      context.drawImage(this.#picture(family, width, height), box.left, box.top, width, height);
    }
  }

  /**
   * A family's name with its colour, drawn once for a theme: text takes long, and forces a layout.
   *
   * @param {string} family
   * @param {number} width
   * @param {number} height
   * @returns {ImageBitmap}
   */
  #picture(family, width, height) {
    const theme = this.theme();
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    const key = [family, theme.ink, ratio].join();
    const known = this.#pictures.get(key);
    if (known) return known;
    const canvas = new OffscreenCanvas(Math.ceil(width * ratio), Math.ceil(height * ratio));
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.scale(canvas.width / width, canvas.height / height);
    context.globalAlpha = 0.86;
    context.fillStyle = theme.raised;
    context.roundRect(0, 0, width, height, height / 2);
    context.fill();
    context.globalAlpha = 1;
    const colour = theme.families[this.panel.families.names.indexOf(family) % COLOURS];
    context.fillStyle = colour ? `rgb(${colour.join()})` : "transparent";
    context.beginPath();
    context.arc(LABEL.edge + 4, height / 2, 4, 0, 2 * Math.PI);
    context.fill();
    context.font = FONT;
    context.textBaseline = "middle";
    context.fillStyle = theme.ink;
    context.fillText(family, LABEL.edge + LABEL.dot, height / 2 + 0.5);
    const picture = canvas.transferToImageBitmap();
    this.#pictures.set(key, picture);
    return picture;
  }
}
