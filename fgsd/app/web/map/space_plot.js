// The plot of the map in 3D: it draws textures, crops, what is chosen and the path, and follows the pointer.
import { latest } from "../shared/latest.js";
import { find } from "../shared/dom.js";
import { watchTheme } from "./canvas.js";
import { legible } from "./colours.js";
import { decodePositions, decodeShorts } from "./data.js";
import { removePlot } from "./plotly.js";
import {
  CAMERAS,
  cameraNumbers,
  cameraOf,
  layoutOf,
  lines,
  markers,
  placed,
  positionsIn,
  stacked,
} from "./space_traces.js";

/** @typedef {import("./space_traces.js").Axis} Axis */
/** @typedef {import("./space_traces.js").Place} Place */
/** @typedef {import("./space_traces.js").SpaceData} SpaceData */
/** @typedef {{ name: string, crop: number, level: number }} Hit `crop` is -1 for a texture */

const CLICK_DISTANCE = 5; // pixels: a press that moves no further is a click
const HOVER_MS = 80; // after a click until plotly has told what is under it, where no pointer hovers
const DRAW_MS = 120; // between two drawings while a picture is being made
const GAP = 14; // pixels between the pointer and the tooltip

export class SpacePlot {
  /** @type {Uint16Array | null} class of each crop */
  labels = null;
  /** @type {{ axis: Axis, projection: string, data: SpaceData } | null} */
  #shown = null;
  /** @type {number[]} */
  #camera = CAMERAS.depth;
  /** @type {Hit | null} under the pointer */
  #hit = null;
  #pressed = false;
  #removed = false;
  #timer = 0;
  #abort = new AbortController();
  /** @type {import("./plotly.js").Plot | null} */
  #drawn = null;

  /**
   * @param {import("./space.js").Space} space
   * @param {import("./plotly.js").Plotly} plotly
   * @param {(name: string, adding: boolean) => void} pick
   */
  constructor(space, plotly, pick) {
    this.space = space;
    this.plotly = plotly;
    this.pick = pick;
    this.panel = space.panel;
    this.theme = watchTheme(space.panel.section, () => this.draw());
    this.root = find(space.element, ".plot");
    this.tooltip = find(space.element, ".space-tooltip");
    this.#followPointer();
    this.resizes = new ResizeObserver(
      () => this.#drawn && this.plotly.relayout(this.root, { autosize: true }),
    );
    this.resizes.observe(this.root);
  }

  /**
   * @param {any} answer of Python's `map_space`
   * @param {[number, number]} range
   * @returns {SpaceData}
   */
  static decoded(answer, range) {
    const { classes, crops } = answer;
    return { ...answer, classes: decodePositions(classes, range), crops: decodePositions(crops, range) };
  }

  /** @param {string} labels packed */
  setLabels(labels) {
    this.labels = decodeShorts(labels);
  }

  /** @param {Axis} axis @param {string} projection @param {SpaceData} data */
  async show(axis, projection, data) {
    this.#shown = { axis, projection, data };
    await this.#draw();
  }

  /** Draw again soon, for example because the path has grown; not while the visitor turns the view. */
  draw() {
    if (this.#timer || this.#removed) return;
    this.#timer = window.setTimeout(() => {
      this.#timer = 0;
      if (this.#pressed) this.draw();
      else void this.#redraw(null);
    }, DRAW_MS);
  }

  /** @param {number[]} camera */
  setCamera(camera) {
    this.#camera = camera;
    if (this.#drawn) void this.plotly.relayout(this.root, { "scene.camera": cameraOf(camera) });
  }

  remove() {
    this.#removed = true;
    clearTimeout(this.#timer);
    this.#abort.abort();
    this.resizes.disconnect();
    this.tooltip.hidden = true;
    removePlot(this.plotly, this.root);
  }

  /** One drawing after the other: plotly mixes up two at once. */
  #redraw = latest(() => this.#draw());

  async #draw() {
    if (!this.#shown || this.#removed) return;
    const { axis, data } = this.#shown;
    const layout = layoutOf(axis, this.panel.data.sigmas, data, this.theme(), this.#camera);
    const first = !this.#drawn;
    const plot = await this.plotly.react(this.root, this.#traces(), layout, {
      displayModeBar: false,
      scrollZoom: true,
      plotGlPixelRatio: this.space.pixelRatio,
    });
    if (this.#removed) return void removePlot(this.plotly, this.root);
    this.#drawn = plot;
    if (first) this.#follow(plot);
    this.space.element.dataset.path = String(this.#path()[0]?.length ?? 0);
  }

  /** @param {import("./plotly.js").Plot} plot */
  #follow(plot) {
    plot.on("plotly_hover", ({ points }) => this.#hover(points?.[0]?.customdata ?? null));
    plot.on("plotly_unhover", () => this.#hover(null));
    plot.on("plotly_relayout", () => {
      const camera = cameraNumbers(plot.layout.scene.camera);
      if (camera.every((value, k) => Math.abs(value - this.#camera[k]) < 1e-6)) return;
      this.#camera = camera;
      this.space.cameraMoved(camera);
    });
  }

  // ---- what is drawn ----

  #traces() {
    const { axis, data } = /** @type {NonNullable<typeof this.shown>} */ (this.shown);
    const { classes, sigmas } = this.panel.data;
    const { ink, raised } = this.theme();
    const colours = this.#classColours();
    const all = positionsIn(axis, data.classes);
    const own = this.#ownTextures();
    const names = [...classes, ...own.map(({ name }) => name)];
    const points = [...all.slice(0, classes.length), ...own.map(({ place }) => place)];
    const hits = names.map((name) => [name, -1, 0]);
    const colourOf = names.map((_, k) => colours[k] ?? ink);
    /** @type {object[]} */
    const drawn = [
      this.#crops(colours),
      markers("textures", points, hits, {
        size: 7,
        symbol: "square",
        color: colourOf,
        line: { width: 1, color: raised },
      }),
    ];
    if (axis === "noise") {
      const paths = classes.map((_, k) => sigmas.map((_sigma, level) => all[level * classes.length + k]));
      drawn.unshift(lines("levels", paths, { width: 2 }, colours));
    }
    return [...drawn, this.#chosen(names, points), ...this.#pathTraces()];
  }

  get shown() {
    return this.#shown;
  }

  /** @param {string[]} colours */
  #crops(colours) {
    const { axis, data } = /** @type {NonNullable<typeof this.shown>} */ (this.#shown);
    const { classes } = this.panel.data;
    const { labels } = this;
    const points = labels ? positionsIn(axis, data.crops) : [];
    const rows = points.map((_, k) => labels?.[data.shown[k % data.shown.length]] ?? 0);
    const level = (/** @type {number} */ k) =>
      axis === "noise" ? Math.floor(k / data.shown.length) : this.panel.view.level;
    const hits = points.map((_, k) => [classes[rows[k]], data.shown[k % data.shown.length], level(k)]);
    return markers("crops", points, hits, {
      size: 2.5,
      symbol: "diamond",
      color: rows.map((row) => colours[row]),
    });
  }

  /** A frame and the name for each texture of the target. @param {string[]} names @param {Place[]} points */
  #chosen(names, points) {
    const { accent, ink } = this.theme();
    const rows = this.panel.target.map(({ name }) => names.indexOf(name)).filter((row) => row >= 0);
    const chosen = rows.map((row) => names[row]);
    this.space.element.dataset.chosen = JSON.stringify(chosen);
    return markers(
      "chosen",
      rows.map((row) => points[row]),
      chosen.map((name) => [name, -1, 0]),
      { size: 13, symbol: "square-open", color: accent, line: { width: 4, color: accent } },
      { mode: "markers+text", text: chosen, textposition: "top center", textfont: { color: ink, size: 13 } },
    );
  }

  /** The visitor's own textures that have a position here. */
  #ownTextures() {
    const { axis, projection, data } = /** @type {NonNullable<typeof this.shown>} */ (this.#shown);
    const { view, data: map } = this.panel;
    return this.space.thumbnails.ownTextures().flatMap((texture) => {
      const points = axis === "noise" ? texture[projection] : texture[`${projection}-3d`];
      const point = points?.[axis === "noise" ? 0 : view.level];
      if (!point) return [];
      const [x, y, z] = point;
      const place = axis === "noise" ? stacked(data, map.sigmas, x, y, map.sigmas[0]) : placed(axis, x, y, z);
      return [{ name: texture.name, place }];
    });
  }

  /** Where the images of the newest run have been. @returns {Place[][]} */
  #path() {
    if (!this.#shown) return [];
    const { axis, projection, data } = this.#shown;
    const { sigmas } = this.panel.data;
    const steps = this.space.path.steps
      .map(({ positions, sigma }) => ({
        sigma,
        points: positions[axis === "noise" ? projection : `${projection}-3d`],
      }))
      .filter(({ points }) => points);
    const images = steps.length ? steps[steps.length - 1].points.length : 0;
    return Array.from({ length: images }, (_, image) =>
      steps
        .filter(({ points }) => points[image])
        .map(({ sigma, points }) => {
          const [x, y, z] = points[image];
          return axis === "noise" ? stacked(data, sigmas, x, y, sigma) : placed(axis, x, y, z);
        }),
    );
  }

  #pathTraces() {
    const { ink, raised } = this.theme();
    const paths = this.#path();
    const ends = paths.map((path) => path[path.length - 1]);
    return [
      lines("path", paths, { width: 6, color: ink }),
      markers(
        "path ends",
        ends,
        ends.map(() => null),
        { size: 6, color: ink, line: { width: 2, color: raised } },
        { hoverinfo: "skip" },
      ),
    ];
  }

  #classColours() {
    const { classes, colours } = this.panel.data;
    const { dark } = this.theme();
    return classes.map((_, k) => {
      const rgb = legible([colours[3 * k], colours[3 * k + 1], colours[3 * k + 2]], dark);
      return `rgb(${rgb.map(Math.round).join(",")})`;
    });
  }

  // ---- the pointer ----

  #followPointer() {
    const { root } = this;
    const { signal } = this.#abort;
    let start = { x: 0, y: 0 };
    const listen = (/** @type {string} */ type, /** @type {(event: any) => void} */ handler) =>
      root.addEventListener(type, handler, { signal, capture: true });
    listen("pointerdown", ({ clientX, clientY }) => {
      start = { x: clientX, y: clientY };
      this.#pressed = true;
    });
    window.addEventListener("pointerup", () => (this.#pressed = false), { signal, capture: true });
    window.addEventListener("pointercancel", () => (this.#pressed = false), { signal, capture: true });
    listen("pointermove", (event) => this.#placeTooltip(event));
    listen("pointerleave", () => this.#hover(null));
    listen("click", (event) => {
      if (Math.hypot(event.clientX - start.x, event.clientY - start.y) > CLICK_DISTANCE) return;
      const adding = this.panel.isAdding(event);
      setTimeout(() => this.#hit && !this.#removed && this.pick(this.#hit.name, adding), HOVER_MS);
    });
  }

  /** @param {[string, number, number] | null} customdata */
  async #hover(customdata) {
    const hit = customdata && { name: customdata[0], crop: customdata[1], level: customdata[2] };
    this.#hit = hit;
    this.root.classList.toggle("over-point", hit !== null);
    this.tooltip.hidden = hit === null;
    if (!hit) return;
    find(this.tooltip, "figcaption").textContent = hit.name;
    const image = find(this.tooltip, "img", HTMLImageElement);
    const thumbnail = find(this.tooltip, "i");
    image.hidden = true;
    const button = this.space.thumbnails.buttons.get(hit.name);
    thumbnail.hidden = !button;
    thumbnail.style.cssText = button?.style.cssText ?? "";
    thumbnail.style.transform = "";
    thumbnail.classList.toggle("user-texture", Boolean(button?.classList.contains("user-texture")));
    if (hit.crop < 0) return;
    const query = { crop: hit.crop, level: hit.level };
    const answer = await this.space.requests.ask("map_crop", query).catch(() => null);
    if (this.#hit !== hit || !answer?.src) return;
    image.src = answer.src;
    image.hidden = false;
    thumbnail.hidden = true;
  }

  /** @param {PointerEvent} event */
  #placeTooltip({ clientX, clientY }) {
    const edge = this.space.element.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.tooltip;
    const x = clientX - edge.left;
    const left = x + GAP + width > edge.width ? x - GAP - width : x + GAP;
    const top = Math.max(0, Math.min(edge.height - height, clientY - edge.top - height / 2));
    this.tooltip.style.transform = `translate(${Math.max(0, left)}px, ${top}px)`;
  }
}
