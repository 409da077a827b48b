// The paint panel: the brush paints with what is chosen on the map. While the hand paints, a preview follows;
// once it rests, the picture condenses in all steps.
import { copyText, downloadBlob, find } from "../shared/dom.js";
import { announce, current, subscribe } from "../shared/session.js";
import { latest } from "../shared/latest.js";
import { COLOURS, Palette, wordsOf } from "./palette.js";
import { Plan } from "./plan.js";

/** @typedef {import("../shared/events.js").TargetEntry} TargetEntry */
/** @typedef {import("./plan.js").Position} Position */
/** @typedef {"preview" | "full"} Quality */

const KEY_STEP = 4; // pixels of the plan by which an arrow key moves the brush
const REST_MS = 350; // after a change by the map or a slider, until all steps are sampled

class PaintPanel {
  /** @param {import("../shared/dom.js").Panel} panel */
  constructor({ element, server }) {
    this.server = server;
    this.section = find(element, ".paint");
    this.canvas = find(this.section, ".plan", HTMLCanvasElement);
    this.image = find(this.section, ".painting", HTMLImageElement);
    this.progress = find(this.section, ".progress");
    this.undoButton = find(this.section, ".undo", HTMLButtonElement);
    this.brush = find(this.section, ".brush", HTMLInputElement);
    this.side = find(this.section, ".side", HTMLSelectElement);
    this.seed = find(this.section, ".seed", HTMLInputElement);
    this.follows = find(this.section, ".follows", HTMLInputElement);
    this.plan = new Plan(Number(this.side.value));
    const most = Number(this.section.dataset.max);
    this.palette = new Palette(find(this.section, ".palette"), most, () => this.#say());
    /** @type {Position} */
    this.cursor = { x: this.plan.side / 2, y: this.plan.side / 2 };
    this.painting = false; // a stroke is under way
    this.hovering = false; // the pointer is over the picture
    this.number = 0; // of the region that the stroke paints
    this.shown = this.plan.numbers.slice(); // the plan of the picture on the screen
    this.ask = latest((/** @type {Quality} */ quality) => this.#ask(quality));
    this.rest = 0;
    this.#listen();
    subscribe("painting", (open) => this.#show(open));
  }

  /** What is chosen on the map. @returns {TargetEntry[]} */
  get target() {
    const map = document.querySelector(".map-panel");
    const text = map instanceof HTMLElement ? map.dataset.target : "";
    return JSON.parse(text || "[]");
  }

  /** @param {boolean} open */
  #show(open) {
    this.section.hidden = !open;
    document.body.classList.toggle("painting", open);
    if (!open) return;
    this.#say();
    if (!this.palette.targets.length && this.target.length) {
      this.palette.add(this.target, new Set());
      void this.ask("full");
    }
    this.#draw();
    this.canvas.focus({ preventScroll: true });
  }

  #listen() {
    const { section, canvas } = this;
    find(section, ".done").addEventListener("click", () => announce("painting", false));
    find(section, ".clear").addEventListener("click", () => this.#fill());
    this.undoButton.addEventListener("click", () => this.#undo());
    find(section, ".another").addEventListener("click", () => {
      this.seed.value = String(Math.floor(1e6 * Math.random()));
      void this.ask("full");
    });
    find(section, ".save").addEventListener("click", () => void this.#save());
    find(section, ".save-plan").addEventListener("click", () => void this.#savePlan());
    this.side.addEventListener("change", () => {
      this.plan = this.plan.scaled(Number(this.side.value));
      this.shown = this.plan.numbers.slice();
      this.undoButton.disabled = true;
      this.#draw();
      void this.ask("full");
    });
    for (const selector of [".feather", ".seed", ".tileable"])
      find(section, selector).addEventListener("change", () => void this.ask("full"));
    this.follows.addEventListener("change", () => this.#say());
    this.brush.addEventListener("input", () => this.#draw());
    canvas.addEventListener("pointerdown", (event) => this.#press(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, () => this.#release());
    canvas.addEventListener("pointerleave", () => {
      this.hovering = false;
      this.#draw();
    });
    for (const kind of ["focus", "blur"]) canvas.addEventListener(kind, () => this.#draw());
    section.addEventListener("keydown", (event) => this.#key(event));
    const map = document.querySelector(".map-panel");
    if (map) {
      const observer = new MutationObserver(() => this.#follow());
      observer.observe(map, { attributes: true, attributeFilter: ["data-target"] });
    }
  }

  // ---- the brush ----

  /** @param {PointerEvent} event @returns {Position} */
  #position(event) {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    const scale = this.plan.side;
    return {
      x: ((event.clientX - left) / width) * scale,
      y: ((event.clientY - top) / height) * scale,
    };
  }

  /** @param {PointerEvent} event */
  #press(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    this.cursor = this.#position(event);
    if (event.altKey) {
      this.#pick();
      return;
    }
    this.painting = this.#begin();
    if (this.painting) this.#paintTo(this.cursor);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const position = this.#position(event);
    if (this.painting) this.#paintTo(position);
    this.cursor = position;
    this.hovering = true;
    this.#draw();
  }

  #release() {
    if (!this.painting) return;
    this.painting = false;
    void this.ask("full");
    this.#draw();
  }

  /** Give the texture under the brush to the brush. */
  #pick() {
    const { side, numbers } = this.plan;
    const [x, y] = [this.cursor.x, this.cursor.y].map((v) => Math.min(side - 1, Math.max(0, Math.floor(v))));
    this.palette.choose(numbers[y * side + x]);
    this.#say();
  }

  /** Begin a stroke. @returns {boolean} whether the palette has room for its texture */
  #begin() {
    const { target } = this;
    if (!target.length) return false;
    const number = this.palette.active ?? this.palette.add(target, this.plan.everUsed());
    if (number === null) {
      this.#say(`A picture has at most ${this.palette.most} textures. Undo, or paint one of them over.`);
      return false;
    }
    this.number = number;
    this.plan.remember();
    this.undoButton.disabled = false;
    return true;
  }

  /** @param {Position} position */
  #paintTo(position) {
    const diameter = (Number(this.brush.value) * this.plan.side) / 128;
    this.plan.stroke(this.cursor, position, diameter, this.number);
    void this.ask("preview");
    this.#draw();
  }

  #fill() {
    if (!this.#begin()) return;
    this.plan.fill(this.number);
    void this.ask("full");
    this.#draw();
  }

  #undo() {
    if (this.plan.undo()) void this.ask("full");
    this.undoButton.disabled = !this.plan.earlier.length;
    this.#draw();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { key } = event;
    if (key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey)) this.#undo();
    else if (event.target !== this.canvas || event.ctrlKey || event.metaKey || event.altKey) return;
    else if (key === "[" || key === "]") {
      this.brush.value = String(Number(this.brush.value) + (key === "]" ? 4 : -4));
      this.#draw();
    } else if (key === " " || key === "Enter") {
      if (this.#begin()) {
        this.#paintTo(this.cursor);
        void this.ask("full");
      }
    } else if (key === "Escape") announce("painting", false);
    else if (!this.#moveBy(key)) return;
    event.preventDefault();
    event.stopPropagation(); // the page has shortcuts of the same keys
  }

  /** @param {string} key @returns {boolean} whether it is an arrow key */
  #moveBy(key) {
    /** @type {Record<string, [number, number]>} */
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const step = steps[key];
    if (!step) return false;
    const inside = (/** @type {number} */ v) => Math.min(this.plan.side, Math.max(0, v));
    const { x, y } = this.cursor;
    this.cursor = { x: inside(x + KEY_STEP * step[0]), y: inside(y + KEY_STEP * step[1]) };
    this.#draw();
    return true;
  }

  // ---- the map ----

  /** The brush takes what is chosen on the map; or the entry that it has changes, and its regions with it. */
  #follow() {
    if (this.section.hidden || this.painting || !this.target.length) return;
    if (!this.follows.checked) {
      this.palette.take(this.target);
      this.#say();
      return;
    }
    if (!this.palette.change(this.target)) return;
    this.#say();
    void this.ask("preview");
    clearTimeout(this.rest);
    this.rest = window.setTimeout(() => void this.ask("full"), REST_MS);
  }

  // ---- the picture ----

  /** @param {Quality} quality */
  async #ask(quality) {
    if (!this.palette.targets.length) return;
    if (quality === "full") this.progress.hidden = false;
    const asked = this.plan.numbers.slice();
    /** @type {any} */
    let answer = {};
    try {
      answer = await this.server.paint({
        plan: this.plan.encoded(),
        width: this.plan.side,
        targets: this.palette.targets,
        feather: Number(find(this.section, ".feather", HTMLInputElement).value),
        seed: Number(this.seed.value),
        tileable: find(this.section, ".tileable", HTMLInputElement).checked,
        quality,
        visitor: current("visitor") ?? null,
      });
    } catch {
      answer = { error: "The server does not answer." };
    }
    if (quality === "full") this.progress.hidden = true;
    const error = find(this.section, ".error");
    error.hidden = !answer?.error;
    error.textContent = answer?.error ?? "";
    if (!answer?.src) return;
    this.image.src = answer.src;
    await this.image.decode();
    this.shown = asked;
    this.section.dataset.shown = quality;
    this.section.dataset.pictures = String(Number(this.section.dataset.pictures ?? 0) + 1);
    this.#draw();
  }

  /** Draw the brush, and during a stroke what the picture does not show yet. */
  #draw() {
    const { canvas, plan } = this;
    const scale = 4;
    const pixels = plan.side * scale;
    if (canvas.width !== pixels) Object.assign(canvas, { width: pixels, height: pixels });
    const context = canvas.getContext("2d");
    if (!context) return;
    context.clearRect(0, 0, pixels, pixels);
    if (this.painting) this.#drawPlan(context, pixels);
    if (!this.painting && !this.hovering && !canvas.matches(":focus-visible")) return;
    const diameter = (Number(this.brush.value) * plan.side) / 128;
    for (const [style, width] of /** @type {const} */ ([
      ["#000", 5],
      ["#fff", 2.5],
    ])) {
      context.strokeStyle = style;
      context.lineWidth = width;
      context.beginPath();
      context.arc(this.cursor.x * scale, this.cursor.y * scale, (diameter / 2) * scale, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  /** @param {CanvasRenderingContext2D} context @param {number} pixels */
  #drawPlan(context, pixels) {
    const { side, numbers } = this.plan;
    const changed = new ImageData(side, side);
    const [red, green, blue] = channels(COLOURS[this.number]);
    for (let k = 0; k < numbers.length; k += 1)
      if (this.shown[k] !== numbers[k]) changed.data.set([red, green, blue, 110], 4 * k);
    const layer = new OffscreenCanvas(side, side);
    layer.getContext("2d")?.putImageData(changed, 0, 0);
    context.drawImage(layer, 0, 0, pixels, pixels);
  }

  // ---- files ----

  async #save() {
    if (!this.image.naturalWidth) return;
    const canvas = new OffscreenCanvas(this.image.naturalWidth, this.image.naturalHeight);
    canvas.getContext("2d")?.drawImage(this.image, 0, 0);
    downloadBlob("painting.png", await canvas.convertToBlob({ type: "image/png" }));
  }

  /** Save the plan, and copy the command that paints it. */
  async #savePlan() {
    const { side, numbers } = this.plan;
    const image = new ImageData(side, side);
    for (let k = 0; k < numbers.length; k += 1)
      image.data.set([...channels(COLOURS[numbers[k]]), 255], 4 * k);
    const canvas = new OffscreenCanvas(side, side);
    canvas.getContext("2d")?.putImageData(image, 0, 0);
    downloadBlob("plan.png", await canvas.convertToBlob({ type: "image/png" }));
    const copied = await copyText(this.#command());
    this.#say(copied ? "Saved; the command that paints it is in the clipboard." : "");
  }

  #command() {
    const used = this.plan.used();
    const legend = this.palette.targets
      .map((target, number) => (used.has(number) ? `--colour "${COLOURS[number]}=${mixOf(target)}"` : ""))
      .filter(Boolean);
    const feather = find(this.section, ".feather", HTMLInputElement).value;
    const tileable = find(this.section, ".tileable", HTMLInputElement).checked ? " --tileable" : "";
    const options = `--feather ${feather} --seed ${this.seed.value}${tileable}`;
    return `fgsd paint --labels plan.png ${legend.join(" ")} ${options} -o painting.png`;
  }

  /** Say what the brush has, or another text. @param {string} [text] */
  #say(text) {
    const { active, targets } = this.palette;
    const words = wordsOf(active === null ? this.target : (targets[active] ?? this.target));
    const change = active !== null && this.follows.checked;
    const brush = change ? `The map changes ${words}.` : `The brush has ${words}. Choose others on the map.`;
    find(this.section, ".advice").textContent = text || brush;
  }
}

/** @param {string} colour "#rrggbb" @returns {[number, number, number]} */
const channels = (colour) => {
  const value = Number.parseInt(colour.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
};

/** A target as the command line takes it. @param {TargetEntry[]} target @returns {string} */
function mixOf(target) {
  const escaped = (/** @type {string} */ name) => name.replace(/[\\,= ]/g, "\\$&");
  if (target.length === 1) return target[0].name;
  const total = target.reduce((sum, { weight }) => sum + weight, 0);
  return target.map(({ name, weight }) => `${escaped(name)}=${(weight / total).toFixed(4)}`).join(",");
}

/** @param {import("../shared/dom.js").Panel} panel */
export function mount(panel) {
  new PaintPanel(panel);
}
