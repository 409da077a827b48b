// The button in the header that opens the paint panel, and closes it.
import { find } from "../shared/dom.js";
import { announce, subscribe } from "../shared/session.js";

/** @param {import("../shared/dom.js").Panel} panel */
export function mount({ element }) {
  const button = find(element, ".open");
  button.addEventListener("click", () => {
    announce("painting", button.getAttribute("aria-pressed") !== "true");
  });
  subscribe("painting", (open) => button.setAttribute("aria-pressed", String(open)));
}
