// The controls under the picture: plain HTML with the names of the app's settings.
import { closest, find, findAll } from "../shared/dom.js";
import { announceSettings } from "../shared/session.js";

/** @typedef {import("./request.js").Settings} Settings */
/** @typedef {HTMLInputElement | HTMLSelectElement} Field */

/**
 * @param {HTMLElement} root holds the fields, by `name`
 * @param {string[]} names of the settings, in the order in which they are announced
 */
export function createControls(root, names) {
  /** @param {string} name */
  const fields = (name) => /** @type {Field[]} */ (findAll(root, `[name="${name}"]`));

  /** @param {string} name @returns {string | number | boolean} */
  function valueOf(name) {
    const [first, ...others] = fields(name);
    if (first.type === "checkbox") return /** @type {HTMLInputElement} */ (first).checked;
    const chosen = [first, ...others].find((field) => field.matches(":checked")) ?? first;
    return "number" in chosen.dataset ? Number(chosen.value) : chosen.value;
  }

  /** @returns {Settings} */
  function settings() {
    return /** @type {any} */ (Object.fromEntries(names.map((name) => [name, valueOf(name)])));
  }

  function announce() {
    for (const output of findAll(root, "output")) {
      output.textContent = String(valueOf(output.dataset.of ?? ""));
    }
    announceSettings(...Object.values(settings()));
  }

  /** @param {Partial<Settings>} values */
  function set(values) {
    for (const [name, value] of Object.entries(values)) {
      for (const field of fields(name)) {
        if (field instanceof HTMLInputElement && field.type === "checkbox") field.checked = Boolean(value);
        else if (field instanceof HTMLInputElement && field.type === "radio") {
          field.checked = field.value === String(value);
        } else field.value = String(value);
      }
    }
    announce();
  }

  root.addEventListener("input", (event) => closest(event, "[name]") && announce()); // not those of Paint
  announce();
  return { settings, set, sample: find(root, "#sample", HTMLButtonElement) };
}
