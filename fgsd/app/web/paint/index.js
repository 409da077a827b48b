// The paint panel: the brush paints with what is chosen on the map. While the hand paints, a preview follows;
// once it rests, the picture condenses in all steps.
import { copyText, decodeImage, downloadBlob, find, findAll } from "../shared/dom.js";
import { emit, on } from "../shared/events.js";
import { latest } from "../shared/latest.js";
import { mapTarget } from "../shared/map_target.js";
import { announce, current, subscribe } from "../shared/session.js";
import { Easel } from "./easel.js";
import { examplePainting } from "./example.js";
import { channels, commandOf, openPlan, planFile } from "./files.js";
import { COLOURS, Palette, wordsOf } from "./palette.js";
import { Plan } from "./plan.js";
import { Steps } from "./steps.js";

/** @typedef {import("../shared/events.js").TargetEntry} TargetEntry */
/** @typedef {import("./plan.js").Position} Position */
/** @typedef {import("./steps.js").Frame} Frame */
/** @typedef {"preview" | "full"} Quality */

/**
 * What the server sends of a picture in all steps.
 *
 * @typedef {Object} Value
 * @property {number} number of the query
 * @property {Record<string, Frame>} [frames] the newest steps; at the end all
 * @property {boolean} [busy] too many requests are under way
 * @property {string} [error] a sentence for the visitor
 */

const REST_MS = 350; // after a change by the map, until all steps are sampled
const BUSY_MS = 1000; // after which all steps are asked for again, if the server was busy
const MIN_FADE_FEATHER = 3; // pixels of soft edge that blend the dots of a gradient
const ALPHA = 110; // of what a stroke has painted, until a picture shows it

class PaintPanel {
  /** @param {import("../shared/dom.js").Panel<Value | null>} panel */
  constructor({ element, trigger, props, server, watch }) {
    this.server = server;
    this.trigger = trigger;
    this.section = find(element, ".paint");
    this.image = find(this.section, ".painting", HTMLImageElement);
    this.progress = find(this.section, ".progress");
    this.undoButton = find(this.section, ".undo", HTMLButtonElement);
    this.brush = find(this.section, ".brush", HTMLInputElement);
    this.side = find(this.section, ".side", HTMLSelectElement);
    this.seed = find(this.section, ".seed", HTMLInputElement);
    this.feather = find(this.section, ".feather", HTMLInputElement);
    this.tileable = find(this.section, ".tileable", HTMLInputElement);
    this.follows = find(this.section, ".follows", HTMLInputElement);
    this.gradient = find(this.section, ".gradient", HTMLInputElement);
    this.error = find(this.section, ".error");
    this.plan = new Plan(Number(this.side.value));
    this.palette = new Palette(find(this.section, ".palette"), this.most, () => this.#say());
    this.number = 0; // of the region that the stroke paints
    this.under = 0; // number of the region in which a gradient began
    this.shown = this.plan.numbers.slice(); // the plan of the picture on the screen
    this.asked = this.shown; // the plan of the newest request in all steps
    this.following = false; // whether previews are wanted: no longer once all steps are
    this.preview = latest(async () => this.following && (await this.#request("preview")));
    this.newest = Date.now(); // number of the newest request, which cancels the others: also after a reload
    this.rest = 0; // timer
    this.easel = new Easel(find(this.section, ".plan", HTMLCanvasElement), {
      side: () => this.plan.side,
      // the slider counts pixels of a plan of 128
      diameter: () => (Number(this.brush.value) * this.plan.side) / 128,
      isGradient: () => this.gradient.checked,
      begin: (at) => this.#begin(at),
      stroke: (from, to) => this.#stroke(from, to),
      end: () => this.ask("full"),
      pick: (at) => this.#pick(at),
      changes: () => this.#changes(),
    });
    this.steps = new Steps(this.section, (frame) => this.#onShown(frame));
    this.#listen();
    watch("value", () => this.#receive(props.value));
    subscribe("painting", (open) => this.#show(open));
  }

  /** Textures of a picture. */
  get most() {
    return Number(this.section.dataset.max);
  }

  /** @param {boolean} open */
  #show(open) {
    this.section.hidden = !open;
    document.body.classList.toggle("painting", open);
    if (!open) return;
    if (!this.palette.targets.length) this.#start();
    this.#say();
    this.easel.draw();
    this.easel.canvas.focus({ preventScroll: true });
  }

  /** Begin with the example, or with the texture that is chosen on the map. */
  #start() {
    const names = new Set(findAll(document, ".map-panel .dot").map(({ dataset }) => dataset.name));
    const example = examplePainting(this.plan.side, (name) => names.has(name));
    if (example) {
      this.palette.replace(example.targets);
      this.palette.take(mapTarget());
      this.#take(example.plan);
    } else if (mapTarget().length) {
      this.palette.add(mapTarget(), new Set());
      this.ask("full");
    }
  }

  #listen() {
    const { section } = this;
    find(section, ".done").addEventListener("click", () => announce("painting", false));
    find(section, ".clear").addEventListener("click", () => this.#fill());
    this.undoButton.addEventListener("click", () => this.#undo());
    find(section, ".another").addEventListener("click", () => {
      this.seed.value = String(Math.floor(1e6 * Math.random()));
      this.ask("full");
    });
    on("save-plan", () => void this.#savePlan());
    this.side.addEventListener("change", () => this.#take(this.plan.scaled(Number(this.side.value))));
    for (const input of [this.feather, this.seed, this.tileable])
      input.addEventListener("change", () => this.ask("full"));
    for (const input of [this.follows, this.gradient]) input.addEventListener("change", () => this.#say());
    this.brush.addEventListener("input", () => this.easel.draw());
    section.addEventListener("keydown", (event) => this.#key(event));
    const map = document.querySelector(".map-panel");
    if (map) {
      const observer = new MutationObserver(() => this.#follow());
      observer.observe(map, { attributes: true, attributeFilter: ["data-target"] });
    }
    // the page would take the image for a texture
    const { canvas } = this.easel;
    canvas.addEventListener("drop", (event) => {
      const dropped = event.dataTransfer?.files[0];
      if (!dropped) return;
      event.preventDefault();
      event.stopPropagation();
      document.dispatchEvent(new DragEvent("dragleave", { bubbles: true }));
      void this.#openPlan(dropped);
    });
    const file = find(section, ".plan-file", HTMLInputElement);
    find(section, ".open-plan").addEventListener("click", () => file.click());
    file.addEventListener("change", () => {
      if (file.files?.[0]) void this.#openPlan(file.files[0]);
      file.value = "";
    });
  }

  // ---- strokes ----

  /** Give the texture under the brush to the brush. @param {Position} at */
  #pick(at) {
    this.palette.choose(this.plan.at(at));
    this.#say();
  }

  /** Begin a stroke, or fill all. @param {Position | null} at @returns {boolean} whether it can be painted */
  #begin(at) {
    const target = mapTarget();
    if (!target.length) return false;
    const number = this.palette.active ?? this.palette.add(target, this.plan.everUsed());
    if (number === null) {
      this.#say(`A picture has at most ${this.most} textures. Undo, or paint one of them over.`);
      return false;
    }
    this.number = number;
    if (at && this.gradient.checked) {
      this.under = this.plan.at(at);
      if (this.under === number) {
        this.#say("A gradient leads to another texture: choose one, then press and draw the line.");
        return false;
      }
      this.feather.value = String(Math.max(MIN_FADE_FEATHER, Number(this.feather.value)));
    }
    this.plan.remember();
    this.undoButton.disabled = false;
    return true;
  }

  /** @param {Position} from @param {Position} to */
  #stroke(from, to) {
    if (this.gradient.checked) this.plan.fade(from, to, this.under, this.number);
    else this.plan.stroke(from, to, (Number(this.brush.value) * this.plan.side) / 128, this.number);
    this.ask("preview");
  }

  #fill() {
    if (!this.#begin(null)) return;
    this.plan.fill(this.number);
    this.ask("full");
  }

  #undo() {
    if (this.plan.undo()) this.ask("full");
    this.undoButton.disabled = !this.plan.earlier.length;
  }

  /** Paint another plan, from which nothing can be undone. @param {Plan} plan */
  #take(plan) {
    this.plan = plan;
    this.shown = plan.numbers.slice();
    this.undoButton.disabled = true;
    this.easel.draw();
    this.ask("full");
  }

  /** What the picture does not show yet, in the colours of the plan. */
  #changes() {
    const { side, numbers } = this.plan;
    const { shown } = this;
    const changes = new ImageData(side, side);
    const pixels = new Uint32Array(changes.data.buffer);
    const colours = COLOURS.map(
      (colour) => new Uint32Array(Uint8Array.of(...channels(colour), ALPHA).buffer)[0],
    );
    for (let k = 0; k < numbers.length; k += 1) if (shown[k] !== numbers[k]) pixels[k] = colours[numbers[k]];
    return changes;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { key } = event;
    if (key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey)) this.#undo();
    else if (event.target !== this.easel.canvas || event.ctrlKey || event.metaKey || event.altKey) return;
    else if (key === "[" || key === "]") {
      this.brush.value = String(Number(this.brush.value) + (key === "]" ? 4 : -4));
      this.easel.draw();
    } else if (key === "Escape") announce("painting", false);
    else if (!this.easel.press(key)) return;
    event.preventDefault();
    event.stopPropagation(); // the page has shortcuts of the same keys
  }

  // ---- the map ----

  /** The brush takes what is chosen on the map; or the entry that it has changes, and its regions with it. */
  #follow() {
    if (this.section.hidden || this.easel.painting || !mapTarget().length) return;
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
    const query = {
      plan: await this.plan.packed(),
      width: this.plan.side,
      targets: [...this.palette.targets], // the palette may change later
      colours: COLOURS, // of the plan, for lines of Python
      feather: Number(this.feather.value),
      seed: Number(this.seed.value),
      tileable: this.tileable.checked,
      number,
      visitor: current("visitor") ?? null,
    };
    if (number !== this.newest) return;
    this.steps.begin(number, query);
    this.steps.estimate(this.plan.side);
    if (quality === "full") {
      this.asked = numbers;
      this.trigger("submit", query);
      return;
    }
    const answer = await this.server
      .preview_painting(query)
      .catch(() => ({ error: "The server does not answer." }));
    if (answer.src && this.following) await this.#follows(answer.src, numbers);
    else if (number === this.newest) this.#sayError(answer.error);
  }

  /**
   * Show the picture that follows the hand.
   *
   * @param {string} src
   * @param {Uint8Array<ArrayBuffer>} numbers the plan that it shows
   */
  async #follows(src, numbers) {
    await decodeImage(src);
    this.image.src = src;
    this.#shows(numbers, "preview");
    emit("painted", { src, side: this.plan.side, preview: true, last: false });
  }

  /** What arrives of the picture in all steps. @param {Value | null} value */
  #receive(value) {
    if (!value || value.number !== this.newest) return; // of a picture that a newer one has cancelled
    this.#sayError(value.error);
    const frames = Object.values(value.frames ?? {});
    if (value.busy) this.rest = window.setTimeout(() => this.ask("full"), BUSY_MS);
    if (frames.length) this.steps.receive(frames);
    if (value.error || frames.at(-1)?.last) this.progress.hidden = true;
  }

  /** A step is on the screen. @param {Frame} frame */
  #onShown(frame) {
    const { last, side } = frame;
    this.#shows(this.asked, last ? "full" : "step");
    emit("painted", { src: frame.estimate ?? frame.src, side, preview: false, last });
  }

  /** @param {Uint8Array<ArrayBuffer>} numbers the plan of the picture on the screen @param {string} kind */
  #shows(numbers, kind) {
    this.shown = numbers;
    this.section.dataset.shown = kind;
    this.section.dataset.pictures = String(Number(this.section.dataset.pictures ?? 0) + 1);
    this.easel.draw();
  }

  /** @param {string} [sentence] */
  #sayError(sentence) {
    this.error.hidden = !sentence;
    this.error.textContent = sentence ?? "";
  }

  // ---- files ----

  /** Save the plan, and copy the command that paints it. */
  async #savePlan() {
    const { plan, palette } = this;
    const [feather, seed] = [this.feather, this.seed].map(({ value }) => Number(value));
    const settings = { feather, seed, tileable: this.tileable.checked };
    downloadBlob("plan.png", await planFile(plan, { targets: palette.targets, ...settings }));
    const { command, missing } = commandOf(plan, palette.targets, settings);
    const copied = await copyText(command);
    const note = missing ? ` It cannot name what you moved or brought: ${missing}.` : "";
    if (copied) this.#say(`Saved. The command that paints it is in the clipboard.${note}`);
  }

  /** Paint the plan of a file: one that was saved here as it was, another with textures of its colours. */
  async #openPlan(/** @type {File} */ file) {
    /** @type {Awaited<ReturnType<typeof openPlan>>} */
    let opened;
    try {
      opened = await openPlan(file, this.plan.side, this.most);
    } catch {
      this.#sayError(`${file.name} is no image that this browser can read.`);
      return;
    }
    const { plan, colours, painting } = opened;
    if (painting) {
      this.palette.replace(painting.targets);
      this.feather.value = String(painting.feather);
      this.seed.value = String(painting.seed);
      this.tileable.checked = painting.tileable === true;
    } else {
      const { names, error } = await this.server
        .textures_of_colours(colours)
        .catch(() => ({ error: "The server does not answer." }));
      this.#sayError(error);
      if (!names) return;
      this.palette.replace(names.map((/** @type {string} */ name) => [{ name, weight: 50 }]));
    }
    const sides = [...this.side.options].map(({ value }) => Number(value));
    this.side.value = String(sides.includes(plan.side) ? plan.side : sides[0]);
    this.#take(plan.scaled(Number(this.side.value)));
    this.#say();
  }

  /** Say what the brush has, or another text. @param {string} [text] */
  #say(text) {
    const { active, targets } = this.palette;
    const words = wordsOf(active === null ? mapTarget() : (targets[active] ?? mapTarget()));
    const change = active !== null && this.follows.checked;
    const fade = `Draw a line: what is under its start becomes ${words} along it.`;
    const brush = this.gradient.checked ? fade : `The brush has ${words}. Choose others on the map.`;
    find(this.section, ".advice").textContent = text || (change ? `The map changes ${words}.` : brush);
  }
}

/** @param {import("../shared/dom.js").Panel<Value | null>} panel */
export function mount(panel) {
  new PaintPanel(panel);
}
