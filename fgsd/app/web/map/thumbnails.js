// The thumbnails on the map: their positions, which may be in motion, and their buttons.
import { findAll, make } from "../shared/dom.js";
import { Animation } from "./animation.js";
import { detailOf, placedLabels, spreadOrder } from "./detail.js";
import { gridColumns, gridLayout, mapLayout } from "./layout.js";
import { Motion } from "./motion.js";
import { familyGrid } from "./family_grid.js";

/** @typedef {import("./view.js").Position} Position */
/** @typedef {import("./view.js").Placement} Placement */
/** @typedef {import("../shared/events.js").UserTexture} UserTexture */

export const ARRANGE_MS = 500; // from one projection to another; half of it between noise levels
const CROWD = 100; // textures; of more, families' names go before thumbnails. Python moves fewer apart
const NAMED_ZOOM = 1.4; // from which names are shown where they have room

export class Thumbnails {
  /** @type {Map<string, HTMLElement>} */
  buttons;
  /** @type {Map<string, Placement>} where they are now, moves left out */
  placements = new Map();
  /** @type {Map<string, [number, number]>} how far thumbnails were dragged */
  moves = new Map();
  /** @type {Map<string, UserTexture>} */
  #userTextures = new Map();
  #animation = new Animation();
  /** @type {string[] | null} names that a search has found */
  #found = null;
  /** @type {() => import("./regions.js").Candidate[]} where the names of families would be */
  labels = () => [];
  /** @type {import("./regions.js").Label[]} those that have room */
  placedLabels = [];
  /** @type {import("./family_grid.js").Heading[]} of the grid */
  headings = [];
  /** @type {Set<string>} names of the thumbnails that have room on the map; the others are dots */
  shown = new Set();
  /** @type {Set<string>} those whose names have room */
  named = new Set();
  /** @type {Map<string, string[]>} by projection and noise level: names in the order of `spreadOrder` */
  #orders = new Map();

  /**
   * @param {import("./panel.js").MapPanel} panel
   * @param {HTMLElement} last the element that the buttons of user textures are put before
   */
  constructor(panel, last) {
    this.panel = panel;
    this.last = last;
    this.motion = new Motion(panel, () => this.#place());
    this.buttons = new Map(findAll(panel.map, ".dot").map((button) => [button.dataset.name ?? "", button]));
    panel.on("target", () => this.#mark());
    panel.on("move", () => this.#draw());
    panel.on("families", () => this.#fade());
  }

  /** The centre of a thumbnail as it is shown now. @param {string} name @returns {Position} */
  centre(name) {
    const { x, y } = this.placements.get(name) ?? { x: 0.5, y: 0.5 };
    const [dx, dy] = (this.panel.view.isLinear && this.moves.get(name)) || [0, 0];
    return { x: x + dx, y: y + dy };
  }

  /** The centres of all thumbnails. @returns {Map<string, Position>} */
  centres() {
    return new Map([...this.buttons.keys()].map((name) => [name, this.centre(name)]));
  }

  /** Put all thumbnails where the view has them. @param {number} [ms] */
  arrange(ms = ARRANGE_MS) {
    const { view, data } = this.panel;
    const names = [...this.buttons.keys()];
    const goal = view.isMap
      ? mapLayout(data, this.#userTextures, view.projection, view.level)
      : this.#grid(names);
    for (const [name, { x, y }] of goal) {
      Object.assign(this.buttons.get(name)?.dataset ?? {}, { x: x.toFixed(4), y: y.toFixed(4) });
    }
    const start = new Map([...goal].map(([name, end]) => [name, this.placements.get(name) ?? end]));
    this.panel.emit("arrange");
    this.#animation.run(ms, (share) => {
      for (const [name, end] of goal)
        this.placements.set(name, interpolated(start.get(name) ?? end, end, share));
      this.panel.move();
    });
  }

  /** @param {string[]} names @returns {Map<string, Placement>} */
  #grid(names) {
    const { view, families, section } = this.panel;
    let cell = 1 / gridColumns(names.length, view.size);
    let named = true;
    let placements;
    if (families.names.length) {
      ({ placements, headings: this.headings, cell, named } = familyGrid(families.grouped(names), view.size));
    } else placements = gridLayout(names, view.size);
    section.style.setProperty("--cell", `${87 * cell}%`);
    section.classList.toggle("nameless", !named);
    return placements;
  }

  /**
   * Centre an element on a position of the map.
   *
   * @param {HTMLElement} element
   * @param {Position} position
   */
  put(element, position) {
    const { x, y } = this.panel.view.toPixel(position);
    element.style.transform = `translate(${x.toFixed(2)}px, ${y.toFixed(2)}px) translate(-50%, -50%)`;
  }

  /** The textures of the visitor that are no classes. @returns {UserTexture[]} */
  ownTextures() {
    return [...this.#userTextures.values()];
  }

  #mark() {
    const chosen = new Set(this.panel.target.map(({ name }) => name));
    for (const [name, button] of this.buttons) button.setAttribute("aria-pressed", String(chosen.has(name)));
  }

  #draw() {
    if (!this.panel.dragging) this.moves.clear(); // during a drag, what leaves the mixture stays where it is
    for (const { name, move } of this.panel.target) if (move) this.moves.set(name, move);
    this.#setDetail();
    if (!this.motion.isOn(this.panel.view.transform)) this.#place();
  }

  /** Move the buttons to where the view has them, and give them their size. */
  #place() {
    const { isMap } = this.panel.view;
    for (const [name, button] of this.buttons) {
      this.put(button, this.centre(name));
      button.classList.toggle("small", isMap && !this.shown.has(name));
      button.classList.toggle("named", isMap && this.named.has(name));
    }
  }

  /**
   * Show the textures that a search has found, and fade the others.
   *
   * @param {string[] | null} names null: there is no search
   */
  setFound(names) {
    this.#found = names;
    this.#fade();
  }

  /** Fade all but what a search has found, within the chosen families. */
  #fade() {
    const found = this.#found && new Set(this.#found);
    for (const [name, button] of this.buttons) {
      const bright = (!found || found.has(name)) && this.panel.families.includes(name);
      button.classList.toggle("faint", !bright);
    }
    this.panel.move();
  }

  /** Find which thumbnails and names have room; always what is chosen, found or the visitor's own. */
  #setDetail() {
    const { view, data, target, families } = this.panel;
    this.placedLabels = [];
    if (!view.isMap) return;
    const chosen = target.map(({ name }) => name);
    const always = new Set([...chosen, ...(this.#found ?? []), ...this.#userTextures.keys()]);
    const order = this.#order();
    const first = families.isFiltering ? order.filter((name) => families.includes(name)) : [];
    const names = [...new Set([...always, ...first, ...order])].filter((name) => this.buttons.has(name));
    const centres = new Map(names.map((name) => [name, view.toPixel(this.centre(name))]));
    const naming = view.transform.zoom >= NAMED_ZOOM;
    const side = data.side * view.size.width;
    const crowded = data.classes.length > CROWD;
    const centresOf = (/** @type {Iterable<string>} */ some) =>
      [...some].flatMap((name) => centres.get(name) ?? []);
    if (crowded) this.placedLabels = placedLabels(this.labels(), centresOf(always), side);
    const boxes = this.placedLabels.map(({ box }) => box);
    ({ shown: this.shown, named: this.named } = detailOf(centres, side, always, naming, boxes));
    if (!crowded) this.placedLabels = placedLabels(this.labels(), centresOf(this.shown), side);
  }

  /** Names of the classes in the order of `spreadOrder`, at the current projection and noise level. */
  #order() {
    const { view, data } = this.panel;
    const key = `${view.projection}-${view.level}`;
    let order = this.#orders.get(key);
    if (!order) {
      const placements = mapLayout(data, new Map(), view.projection, view.level);
      const names = [...placements.keys()];
      order = spreadOrder([...placements.values()], view.size).map((k) => names[k]);
      this.#orders.set(key, order);
    }
    return order;
  }

  /** Show these textures of the visitor, and no others. @param {UserTexture[]} textures */
  setUserTextures(textures) {
    const known = new Map(textures.map((texture) => [texture.name, texture]));
    if (!known.size && !this.#userTextures.size) return;
    for (const name of this.#userTextures.keys()) {
      if (known.has(name)) continue;
      this.buttons.get(name)?.remove();
      this.buttons.delete(name);
      this.placements.delete(name);
    }
    for (const name of this.panel.data.classes) known.delete(name);
    this.#userTextures = known;
    for (const [name, { src }] of known) {
      if (!this.buttons.has(name)) this.#addButton(name);
      this.buttons.get(name)?.style.setProperty("--src", `url("${src.replace(/["\\\n]/g, "")}")`);
    }
    this.arrange();
    this.panel.targetChanged();
  }

  /** @param {string} name */
  #addButton(name) {
    const button = make("button", {
      type: "button",
      className: "dot user-texture",
      ariaLabel: `${name}, your own`,
    });
    button.append(make("i"), make("b", { textContent: name }));
    button.dataset.name = name;
    this.panel.map.insertBefore(button, this.last);
    this.buttons.set(name, button);
  }
}

/** @param {Placement} from @param {Placement} to @param {number} share @returns {Placement} */
function interpolated(from, to, share) {
  const between = (/** @type {keyof Placement} */ key) => from[key] + share * (to[key] - from[key]);
  return { x: between("x"), y: between("y"), classX: between("classX"), classY: between("classY") };
}
