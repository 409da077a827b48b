// The switches of the map: arrangement, projection and noise level. The address holds them if they differ
// from the first view: "show=umap-7".
import { parseMapView, replaceQuery, withMapView } from "../shared/address.js";
import { closest, find, findAll } from "../shared/dom.js";
import { ARRANGE_MS } from "./thumbnails.js";

/** @typedef {import("../shared/address.js").MapView} MapView */

export class Toolbar {
  /**
   * @param {import("./panel.js").MapPanel} panel
   * @param {(ms?: number) => void} shown called after the view has changed, with the duration of movements
   */
  constructor(panel, shown) {
    this.panel = panel;
    this.shown = shown;
    this.slider = find(panel.section, ".level", HTMLInputElement);
    // fingers need the larger thumbnails of the grid
    const narrow = window.matchMedia("(max-width: 700px)").matches;
    /** @type {MapView} */
    this.first = { ...this.view, view: narrow ? "grid" : "map" };
    find(panel.section, ".bar").addEventListener("click", (event) => this.#click(event));
    this.slider.addEventListener("input", () => {
      this.#change({ view: "map", level: Number(this.slider.value) }, ARRANGE_MS / 2);
    });
    window.addEventListener("popstate", () => {
      const view = this.#viewOfAddress();
      if (!isSame(view, this.view)) this.show(view); // else the ring stays where it was put
    });
    this.show(this.#viewOfAddress(), 0);
  }

  /** @returns {MapView} */
  get view() {
    const { arrangement, projection, level } = this.panel.view;
    return { view: arrangement, projection, level };
  }

  /** @param {MapView} view @param {number} [ms] duration of movements */
  show({ view, projection, level }, ms) {
    const { section, data } = this.panel;
    Object.assign(this.panel.view, { arrangement: view, projection, level });
    Object.assign(section.dataset, { view, projection, level });
    for (const button of findAll(section, "[data-show]")) press(button, button.dataset.show === view);
    for (const button of findAll(section, ".projections [data-projection]")) {
      press(button, button.dataset.projection === projection);
    }
    this.slider.value = String(level);
    this.slider.setAttribute("aria-valuetext", `sigma ${data.sigmas[level]}`);
    find(section, ".sigma").textContent = `σ ${data.sigmas[level]}`;
    this.shown(ms);
  }

  /** @returns {MapView} */
  #viewOfAddress() {
    const { projections, sigmas } = this.panel.data;
    const found = parseMapView(location.search, projections, sigmas.length);
    return found ? { ...this.first, ...found } : this.first;
  }

  /** @param {Partial<MapView>} changes @param {number} [ms] */
  #change(changes, ms) {
    this.show({ ...this.view, ...changes }, ms);
    replaceQuery(withMapView(location.search, isSame(this.view, this.first) ? null : this.view));
  }

  /** @param {Event} event */
  #click(event) {
    const { show, projection } = closest(event, "button")?.dataset ?? {};
    if (show === "map" || show === "grid") this.#change({ view: show });
    else if (projection) this.#change({ view: "map", projection });
    else if (closest(event, ".mix")) press(this.panel.mixButton, !this.panel.isMixing);
  }
}

/** @param {MapView} one @param {MapView} other */
function isSame(one, other) {
  return one.view === other.view && one.projection === other.projection && one.level === other.level;
}

/** @param {HTMLElement} button @param {boolean} pressed */
function press(button, pressed) {
  button.setAttribute("aria-pressed", String(pressed));
}
