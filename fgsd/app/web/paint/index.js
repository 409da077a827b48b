// The paint panel: the brush paints with what is chosen on the map. While the hand paints, a preview follows;
// once it rests, the picture condenses in all steps.
import { copyText, downloadBlob, find } from "../shared/dom.js";
import { latest } from "../shared/latest.js";
import { mapTarget } from "../shared/map_target.js";
import { announce, current, subscribe } from "../shared/session.js";
import { channels, commandOf, pictureFile, planFile } from "./files.js";
import { COLOURS, Palette, wordsOf } from "./palette.js";
import { Plan } from "./plan.js";

/** @typedef {import("../shared/events.js").TargetEntry} TargetEntry */
/** @typedef {import("./plan.js").Position} Position */
/** @typedef {"preview" | "full"} Quality */

const KEY_STEP = 4; // pixels of the plan by which an arrow key moves the brush
const REST_MS = 350; // after a change by the map, until all steps are sampled
const BUSY_MS = 1000; // after which all steps are asked for again, if the server was busy

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
    this.feather = find(this.section, ".feather", HTMLInputElement);
    this.tileable = find(this.section, ".tileable", HTMLInputElement);
    this.follows = find(this.section, ".follows", HTMLInputElement);
    this.error = find(this.section, ".error");
    this.plan = new Plan(Number(this.side.value));
    const most = Number(this.section.dataset.max);
    this.palette = new Palette(find(this.section, ".palette"), most, () => this.#say());
    /** @type {Position} */
    this.cursor = { x: this.plan.side / 2, y: this.plan.side / 2 };
    this.painting = false; // a stroke is under way
    this.hovering = false; // the pointer is over the picture
    this.number = 0; // of the region that the stroke paints
    this.shown = this.plan.numbers.slice(); // the plan of the picture on the screen
    this.following = false; // whether previews are wanted: no longer once all steps are
    this.preview = latest(async () => this.following && (await this.#request("preview")));
    this.newest = Date.now(); // number of the newest request, which cancels the others: also after a reload
    this.rest = 0; // timer
    this.#listen();
    subscribe("painting", (open) => this.#show(open));
  }

  /** Of the brush, in pixels of the plan: the slider counts those of a plan of 128 pixels. */
  get diameter() {
    return (Number(this.brush.value) * this.plan.side) / 128;
  }

  /** @param {boolean} open */
  #show(open) {
    this.section.hidden = !open;
    document.body.classList.toggle("painting", open);
    if (!open) return;
    this.#say();
    if (!this.palette.targets.length && mapTarget().length) {
      this.palette.add(mapTarget(), new Set());
      this.ask("full");
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
      this.ask("full");
    });
    find(section, ".save").addEventListener("click", () => void this.#save());
    find(section, ".save-plan").addEventListener("click", () => void this.#savePlan());
    this.side.addEventListener("change", () => {
      this.plan = this.plan.scaled(Number(this.side.value));
      this.shown = this.plan.numbers.slice();
      this.undoButton.disabled = true;
      this.#draw();
      this.ask("full");
    });
    for (const input of [this.feather, this.seed, this.tileable])
      input.addEventListener("change", () => this.ask("full"));
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
    this.ask("full");
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
    const target = mapTarget();
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
    this.plan.stroke(this.cursor, position, this.diameter, this.number);
    this.ask("preview");
    this.#draw();
  }

  #fill() {
    if (!this.#begin()) return;
    this.plan.fill(this.number);
    this.ask("full");
    this.#draw();
  }

  #undo() {
    if (this.plan.undo()) this.ask("full");
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
        this.ask("full");
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
    if (this.section.hidden || this.painting || !mapTarget().length) return;
    if (!this.follows.checked) {
      this.palette.take(mapTarget());
      this.#say();
      return;
    }
    if (!this.palette.change(mapTarget())) return;
    this.#say();
    this.ask("preview");
    this.rest = window.setTimeout(() => this.ask("full"), REST_MS);
  }

  // ---- the picture ----

  /** Ask for a picture of the plan as it is now. @param {Quality} quality */
  ask(quality) {
    if (!this.palette.targets.length) return;
    clearTimeout(this.rest);
    this.following = quality === "preview";
    void (this.following ? this.preview(null) : this.#request(quality));
  }

  /** @param {Quality} quality */
  async #request(quality) {
    this.newest += 1;
    const number = this.newest;
    const numbers = this.plan.numbers.slice();
    this.progress.hidden = quality !== "full";
    /** @type {any} */
    let answer;
    try {
      answer = await this.server.paint({
        plan: this.plan.encoded(),
        width: this.plan.side,
        targets: this.palette.targets,
        feather: Number(this.feather.value),
        seed: Number(this.seed.value),
        tileable: this.tileable.checked,
        quality,
        number,
        visitor: current("visitor") ?? null,
      });
    } catch {
      answer = { error: "The server does not answer." };
    }
    if (number !== this.newest && !answer?.src) return; // cancelled by a newer one
    this.error.hidden = !answer?.error;
    this.error.textContent = answer?.error ?? "";
    if (answer?.busy && quality === "full") this.rest = window.setTimeout(() => this.ask("full"), BUSY_MS);
    else if (number === this.newest) this.progress.hidden = true;
    if (answer?.src) await this.#receive(answer.src, quality, numbers);
  }

  /**
   * Show a picture.
   *
   * @param {string} src
   * @param {Quality} quality
   * @param {Uint8Array<ArrayBuffer>} numbers the plan that it shows
   */
  async #receive(src, quality, numbers) {
    this.image.src = src;
    await this.image.decode();
    this.shown = numbers;
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
    const radius = (this.diameter / 2) * scale;
    for (const [style, width] of /** @type {const} */ ([
      ["#000", 5],
      ["#fff", 2.5],
    ])) {
      context.strokeStyle = style;
      context.lineWidth = width;
      context.beginPath();
      context.arc(this.cursor.x * scale, this.cursor.y * scale, radius, 0, 2 * Math.PI);
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
    if (this.image.naturalWidth) downloadBlob("painting.png", await pictureFile(this.image));
  }

  /** Save the plan, and copy the command that paints it. */
  async #savePlan() {
    const { plan, palette } = this;
    downloadBlob("plan.png", await planFile(plan));
    const settings = { feather: this.feather.value, seed: this.seed.value, tileable: this.tileable.checked };
    const { command, missing } = commandOf(plan, palette.targets, settings);
    const copied = await copyText(command);
    const note = missing ? ` It cannot name what you moved or brought: ${missing}.` : "";
    if (copied) this.#say(`Saved. The command that paints it is in the clipboard.${note}`);
  }

  /** Say what the brush has, or another text. @param {string} [text] */
  #say(text) {
    const { active, targets } = this.palette;
    const words = wordsOf(active === null ? mapTarget() : (targets[active] ?? mapTarget()));
    const change = active !== null && this.follows.checked;
    const brush = change ? `The map changes ${words}.` : `The brush has ${words}. Choose others on the map.`;
    find(this.section, ".advice").textContent = text || brush;
  }
}

/** @param {import("../shared/dom.js").Panel} panel */
export function mount(panel) {
  new PaintPanel(panel);
}
