// The map in 3D, in the place of the map: its button, its state in the address, and what the visitor chooses.
// What plotly draws is made by space_plot.js; it exists while the view is open.
import { parseSpace, replaceQuery, withSpace } from "../shared/address.js";
import { closest, find, findAll } from "../shared/dom.js";
import { on } from "../shared/events.js";
import { loadPlotly, webGlKind } from "./plotly.js";
import { SpacePlot } from "./space_plot.js";
import { CAMERAS, turned } from "./space_traces.js";

/** @typedef {import("./space_traces.js").Axis} Axis */
/** @typedef {import("../shared/events.js").Occurrences["path"]} PathStep */

const NO_WEBGL =
  "This browser draws no 3-D graphics (WebGL is off). The map in two dimensions shows the same textures.";
const HINTS = {
  depth: "Drag to turn, scroll to zoom, click a texture.",
  noise: "Upwards the noise falls, and the textures come apart. The line is the path of the picture.",
};
const FITTING = "UMAP in three dimensions is being computed; this takes some seconds …";
const SLOW_MS = 400; // after which the view says what takes long
const ADDRESS_MS = 250; // the address follows the camera
const TURN = Math.PI / 24; // of an arrow key
/** @type {Record<string, [number, number, number]>} turn to the right, upwards, factor of the distance */
const KEYS = {
  ArrowLeft: [-TURN, 0, 1],
  ArrowRight: [TURN, 0, 1],
  ArrowUp: [0, TURN, 1],
  ArrowDown: [0, -TURN, 1],
  "+": [0, 0, 0.85],
  "=": [0, 0, 0.85],
  "-": [0, 0, 1 / 0.85],
};

export class Space {
  /** @type {Axis} */
  #axis = "depth";
  /** @type {Record<Axis, number[]>} */
  #cameras = { ...CAMERAS };
  /** @type {SpacePlot | null} while the view is open and can draw */
  #plot = null;
  #opened = 0; // counts openings: what an earlier one has asked for is ignored
  #addressTimer = 0;

  /**
   * @param {import("./panel.js").MapPanel} panel
   * @param {import("./thumbnails.js").Thumbnails} thumbnails
   * @param {import("./requests.js").Requests} requests
   */
  constructor(panel, thumbnails, requests) {
    this.panel = panel;
    this.requests = requests;
    this.thumbnails = thumbnails;
    this.element = find(panel.section, ".space");
    this.button = find(panel.section, ".to-space");
    this.pixelRatio = 1; // pixels of the plot for a CSS pixel: a processor draws more of them too slowly
    this.state = find(this.element, ".state");
    /** @type {{ run: number, steps: PathStep[] }} */
    this.path = { run: -1, steps: [] };
    on("path", (step) => this.#addStep(step));
    find(panel.section, ".bar").addEventListener("click", (event) => this.#barClick(event));
    this.element.addEventListener("click", (event) => {
      const axis = closest(event, "[data-axis]")?.dataset.axis;
      if (axis === "depth" || axis === "noise") this.#setAxis(axis);
    });
    this.element.addEventListener("keydown", (event) => this.#key(event));
    panel.on("target", () => this.#plot?.draw());
    window.addEventListener("popstate", () => this.#followAddress());
    this.#followAddress();
  }

  get isOpen() {
    return !this.element.hidden;
  }

  /** The projection or the noise level of the map has changed, or its theme. */
  redraw() {
    if (this.isOpen && this.#plot) void this.#load();
  }

  #followAddress() {
    const view = parseSpace(location.search);
    if (!view) return this.#close();
    this.#cameras = { ...CAMERAS, [view.axis]: view.camera ?? CAMERAS[view.axis] };
    this.#axis = view.axis;
    if (!this.isOpen) void this.#open();
    else {
      this.#showAxis();
      this.#plot?.setCamera(this.#cameras[this.#axis]);
      void this.#load();
    }
  }

  /** @param {Event} event */
  #barClick(event) {
    if (closest(event, ".to-space")) {
      if (this.isOpen) this.#close();
      else {
        if (!this.panel.view.isMap) find(this.panel.section, "[data-show='map']").click();
        void this.#open();
      }
      this.#writeAddress();
    } else if (closest(event, "[data-show]") && this.isOpen) {
      this.#close();
      this.#writeAddress();
    }
  }

  async #open() {
    const opened = (this.#opened += 1);
    const { map, section } = this.panel;
    this.element.style.height = `${map.clientHeight}px`;
    this.element.hidden = false;
    map.hidden = true;
    section.dataset.space = "opening";
    this.button.setAttribute("aria-pressed", "true");
    this.#showAxis();
    const kind = webGlKind();
    if (kind === "none") return this.#fail(NO_WEBGL);
    this.pixelRatio = kind === "software" ? 1 : Math.min(2, window.devicePixelRatio || 1);
    this.#positions().catch(() => undefined); // `#load` asks again, and gets the same answers
    this.#labels().catch(() => undefined);
    try {
      const plotly = await loadPlotly(this.element.dataset.script ?? "");
      if (opened !== this.#opened) return;
      this.element.style.height = "";
      this.#plot = new SpacePlot(this, plotly, (name, adding) => this.panel.pick(name, adding));
      this.#plot.setCamera(this.#cameras[this.#axis]);
      await this.#load();
    } catch (error) {
      if (opened === this.#opened) this.#fail(error instanceof Error ? error.message : String(error));
    }
  }

  #close() {
    if (!this.isOpen) return;
    this.#opened += 1;
    this.#plot?.remove();
    this.#plot = null;
    delete this.panel.section.dataset.space;
    this.element.hidden = true;
    this.panel.map.hidden = false;
    this.button.setAttribute("aria-pressed", "false");
    this.panel.move();
  }

  /** Show a sentence instead of an empty box. @param {string} sentence */
  #fail(sentence) {
    this.panel.section.dataset.space = "failed";
    this.state.textContent = sentence;
  }

  /** Ask for the positions that the view needs, then draw them. */
  async #load() {
    const { view } = this.panel;
    const [axis, plot, { projection, level }] = [this.#axis, this.#plot, view];
    const late = () => plot !== this.#plot || axis !== this.#axis || projection !== view.projection;
    const slow = projection === "umap" && axis === "depth" ? FITTING : "Loading …";
    const timer = setTimeout(() => (this.state.textContent = slow), SLOW_MS);
    try {
      const [answer, labels] = await Promise.all([this.#positions(), this.#labels()]);
      if (labels && !plot?.labels) plot?.setLabels(labels);
      if (late() || (axis === "depth" && level !== view.level)) return;
      this.state.textContent = HINTS[axis];
      await plot?.show(axis, projection, answer);
      if (!late()) this.panel.section.dataset.space = `${projection}-${axis}-${level}`;
    } catch (error) {
      if (!late()) this.#fail(error instanceof Error ? error.message : String(error));
    } finally {
      clearTimeout(timer);
    }
  }

  /** @returns {Promise<import("./space_traces.js").SpaceData>} what the view needs now */
  #positions() {
    const { view, data } = this.panel;
    const { projection, level } = view;
    const axis = this.#axis;
    const query = { projection, axis, ...(axis === "depth" && { level }) };
    return this.requests.ask("map_space", query, (found) => SpacePlot.decoded(found, data.range));
  }

  /** @returns {Promise<string | null>} the classes of the crops, packed */
  async #labels() {
    return this.panel.data.cropCount ? (await this.requests.ask("map_labels", null)).labels : null;
  }

  /** @param {Axis} axis */
  #setAxis(axis) {
    if (axis === this.#axis) return;
    this.#axis = axis;
    this.#showAxis();
    this.#plot?.setCamera(this.#cameras[axis]);
    if (this.#plot) void this.#load();
    this.#writeAddress();
  }

  #showAxis() {
    for (const button of findAll(this.element, "[data-axis]")) {
      button.setAttribute("aria-pressed", String(button.dataset.axis === this.#axis));
    }
  }

  /** The visitor has turned the view. @param {number[]} camera */
  cameraMoved(camera) {
    this.#cameras[this.#axis] = camera;
    clearTimeout(this.#addressTimer);
    this.#addressTimer = window.setTimeout(() => this.isOpen && this.#writeAddress(), ADDRESS_MS);
  }

  #writeAddress() {
    const view = { axis: this.#axis, camera: this.#cameras[this.#axis] };
    replaceQuery(withSpace(location.search, this.isOpen ? view : null));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.target !== this.element) return;
    const turn = KEYS[event.key];
    if (event.key === "Escape") this.button.click();
    else if (turn && this.#plot && !event.ctrlKey && !event.metaKey) {
      const camera = turned(this.#cameras[this.#axis], ...turn);
      this.#plot.setCamera(camera);
      this.cameraMoved(camera);
    } else return;
    event.preventDefault();
    event.stopPropagation(); // the keys of the map in 2D
  }

  /** @param {PathStep} step */
  #addStep(step) {
    if (step.run !== this.path.run) this.path = { run: step.run, steps: [] };
    this.path.steps = [...this.path.steps.filter(({ index }) => index < step.index), step];
    this.#plot?.draw();
  }
}
