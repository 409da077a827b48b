// The menu that colours the crops, by their class or by one feature, and the legend.
import { find } from "../shared/dom.js";
import { VIRIDIS } from "./colours.js";
import { decodeBytes } from "./data.js";
import { clamp } from "./view.js";

export class ColourMenu {
  /**
   * @param {import("./panel.js").MapPanel} panel
   * @param {import("./crops.js").Crops} crops
   * @param {import("./requests.js").Requests} requests
   */
  constructor(panel, crops, requests) {
    this.panel = panel;
    this.crops = crops;
    this.requests = requests;
    this.menu = find(panel.section, ".colour-by", HTMLSelectElement);
    this.number = find(panel.section, ".feature", HTMLInputElement);
    this.legend = find(panel.section, ".legend");
    const stops = VIRIDIS.map((colour) => `#${colour}`).join(", ");
    find(this.legend, "i").style.background = `linear-gradient(90deg, ${stops})`;
    this.menu.addEventListener("change", () => void this.colour());
    this.number.addEventListener("change", () => void this.colour());
  }

  /** Number of the chosen feature. */
  get index() {
    return clamp(Math.round(Number(this.number.value)) || 0, 0, Number(this.number.max));
  }

  /** Colour the crops as the menu says, at the noise level of the view. */
  async colour() {
    const byFeature = this.menu.value === "feature";
    this.number.hidden = this.legend.hidden = !byFeature;
    if (byFeature) await this.#colourByFeature();
    else this.crops.colourBy(null);
  }

  async #colourByFeature() {
    const { view } = this.panel;
    const { level } = view;
    const { index } = this;
    const answer = await this.requests
      .ask("map_feature", { index, level })
      .catch((error) => this.panel.say(error.message));
    // answers may arrive in another order than they were asked for
    if (!answer?.values || this.menu.value !== "feature" || level !== view.level || index !== this.index)
      return;
    this.crops.colourBy(decodeBytes(answer.values));
    find(this.legend, ".low").textContent = answer.low.toPrecision(2);
    find(this.legend, ".high").textContent = answer.high.toPrecision(2);
    this.legend.title = `Feature ${index}`;
  }
}
