// The report in a frame over the page. The frame is made when the visitor first opens it, so that the first
// screen does not wait for it.
import { find, make } from "../shared/dom.js";

/** @param {import("../shared/dom.js").Panel} panel */
export function mount({ element }) {
  const panel = find(element, ".evidence");
  const dialog = find(panel, "dialog", HTMLDialogElement);
  /** @type {HTMLIFrameElement | null} */
  let frame = null;

  /** @param {Document} report */
  function matchColourScheme(report) {
    report.documentElement.style.colorScheme = document.body.classList.contains("dark") ? "dark" : "light";
  }

  /**
   * Follow a link to a part of the report by hand, so that it is no step of the page's history, which is undo
   * and redo.
   *
   * @param {Event} event
   * @param {Document} report
   */
  function followLink(event, report) {
    // not `instanceof Element`: the frame has its own class of that name
    const link = /** @type {Element} */ (event.target).closest("a[href^='#']");
    const goal = link && report.getElementById((link.getAttribute("href") ?? "").slice(1));
    if (!goal) return;
    event.preventDefault();
    goal.tabIndex = -1;
    goal.focus({ preventScroll: true });
    goal.scrollIntoView();
  }

  function makeFrame() {
    const made = make("iframe", { title: "Evidence", src: panel.dataset.address });
    made.addEventListener("load", () => {
      const report = /** @type {Document} */ (made.contentDocument);
      matchColourScheme(report);
      report.addEventListener("click", (event) => followLink(event, report));
      report.addEventListener("keydown", ({ key }) => {
        if (key === "Escape") dialog.close();
      });
    });
    dialog.append(made);
    return made;
  }

  find(panel, ".open").addEventListener("click", () => {
    if (frame?.contentDocument) matchColourScheme(frame.contentDocument);
    frame ??= makeFrame();
    dialog.showModal();
  });
  find(panel, ".close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", ({ target }) => {
    if (target === dialog) dialog.close(); // beside the report
  });
  dialog.addEventListener("keydown", (event) => event.stopPropagation()); // the page's keys are for the page
}
