// The state that the parts of the map share: the target, the view, the gesture. Parts subscribe by `on` to:
// "target": the target has changed
// "arrange": thumbnails get new positions, so that older positions on the map mean nothing any more
// "families": the visitor has chosen families that stand out
// "move": positions on the screen have changed; draw thumbnails and ring at once, so that they do not lag
// "paint": the canvases are to be drawn; at most once a frame
import { find, findAll } from "../shared/dom.js";
import { announce, current, subscribe } from "../shared/session.js";
import { readMapData } from "./data.js";
import { Families } from "./families.js";
import { START_WEIGHT, entryOf, without } from "./target.js";
import { View } from "./view.js";

/** @typedef {import("../shared/events.js").TargetEntry} TargetEntry */
/** @typedef {import("./gestures.js").Gesture} Gesture */
/** @typedef {"target" | "arrange" | "families" | "move" | "paint"} Topic */

export const NOTICE_MS = 2500; // that a message stays in the hint line

export class MapPanel {
  dragging = false; // the visitor drags the ring or a texture
  /** @type {Gesture | null} the current gesture: there is one at a time */
  gesture = null;
  /** @type {Map<Topic, (() => void)[]>} */
  #subscribers = new Map();
  #paintRequested = false;
  #withheld = false; // events while the visitor paints, which sample nothing
  #hintUntil = 0;

  /** @param {import("../shared/dom.js").Panel<TargetEntry[]>} gradio */
  constructor({ element, trigger, props, server }) {
    this.section = find(element, ".map-panel");
    this.map = find(this.section, ".map");
    this.trigger = (/** @type {string} */ event) => {
      if (current("painting")) this.#withheld = true;
      else trigger(event);
    };
    subscribe("painting", (open) => {
      if (!open && this.#withheld) trigger("release"); // sample what was chosen meanwhile
      this.#withheld = false;
    });
    this.server = server;
    this.props = props;
    this.mixButton = find(this.section, ".mix");
    this.hint = find(this.section, ".hint");
    this.invitation = window.matchMedia("(pointer: coarse)").matches
      ? "Drag the ring, or tap a texture."
      : (this.hint.textContent ?? "");
    const names = findAll(this.map, ".dot").map((button) => button.dataset.name ?? "");
    this.data = readMapData(this.section.dataset, names);
    this.families = new Families(this.section, () => this.emit("families"));
    this.view = new View(this.data.projections[0], this.data.startLevel);
  }

  /** @param {Topic} topic @param {() => void} handler */
  on(topic, handler) {
    this.#subscribers.set(topic, [...(this.#subscribers.get(topic) ?? []), handler]);
  }

  /** @param {Topic} topic */
  emit(topic) {
    for (const handler of this.#subscribers.get(topic) ?? []) handler();
  }

  /** Positions on the screen have changed. */
  move() {
    this.emit("move");
    this.repaint();
  }

  /** Draw the canvases with the next frame. */
  repaint() {
    if (this.#paintRequested) return;
    this.#paintRequested = true;
    requestAnimationFrame(() => {
      this.#paintRequested = false;
      this.emit("paint");
    });
  }

  // ---- the target ----

  /** @returns {TargetEntry[]} */
  get target() {
    return Array.isArray(this.props.value) ? this.props.value : [];
  }

  /** Change the target, as a drag does at each of its moves. @param {TargetEntry[]} target */
  setTarget(target) {
    this.props.value = target;
    this.targetChanged();
  }

  targetChanged() {
    this.section.dataset.target = JSON.stringify(this.target); // reconnect.js opens the page with it
    this.emit("target");
    this.move();
  }

  /** Change the target and sample it. @param {TargetEntry[]} target */
  choose(target) {
    this.setTarget(target);
    if (target.length) this.trigger("release");
  }

  /**
   * Choose one texture, or add it to the mixture, or remove it from the mixture.
   *
   * @param {string} name
   * @param {boolean} adding
   */
  pick(name, adding) {
    const { target } = this;
    const entry = entryOf(target, name);
    if (!adding) this.choose([{ ...entry, name, weight: START_WEIGHT }]);
    else if (!entry) this.add(name, (added) => this.choose(added));
    else if (target.length > 1) this.choose(without(target, name));
  }

  /**
   * Call `use` with the target and a further texture, unless the target is full.
   *
   * @param {string} name
   * @param {(target: TargetEntry[]) => void} use
   */
  add(name, use) {
    const { target } = this;
    const { maxClasses } = this.data;
    if (target.length >= maxClasses) this.say(`At most ${maxClasses} textures can be mixed.`, NOTICE_MS);
    else use([...target, { name, weight: START_WEIGHT }]);
  }

  /** Whether a click or a key adds to the mixture. @param {MouseEvent | KeyboardEvent} event */
  isAdding(event) {
    return this.isMixing || event.shiftKey || event.ctrlKey || event.metaKey;
  }

  get isMixing() {
    return this.mixButton.getAttribute("aria-pressed") === "true";
  }

  // ---- drags: their start ends the current run, their end samples the target ----

  startDrag() {
    this.#setDragging(true);
    this.trigger("select");
  }

  /** End a drag without sampling. */
  stopDrag() {
    this.#setDragging(false);
  }

  endDrag() {
    if (!this.dragging) return;
    this.#setDragging(false);
    this.move(); // what has left the mixture goes back to its place
    this.trigger("release");
  }

  /** @param {boolean} dragging */
  #setDragging(dragging) {
    this.dragging = dragging;
    this.section.classList.toggle("dragging", dragging);
    announce("drag", dragging);
  }

  // ---- the hint line ----

  /**
   * Show a text in the hint line. During `ms`, texts without a duration do not replace it.
   *
   * @param {string} text
   * @param {number} [ms]
   */
  say(text, ms = 0) {
    if (!ms && performance.now() < this.#hintUntil) return;
    this.#hintUntil = performance.now() + ms;
    this.hint.textContent = text;
  }

  // ---- the position of an event ----

  /** @param {MouseEvent} event @returns {import("./view.js").Position} in pixels of the map */
  pixelOf(event) {
    const edge = this.map.getBoundingClientRect();
    return { x: event.clientX - edge.left, y: event.clientY - edge.top };
  }
}
