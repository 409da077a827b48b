// How files come onto the page: by button, by camera, dropped anywhere, or pasted.
import { find } from "../shared/dom.js";

/** @param {DragEvent} event */
const holdsFiles = (event) => Boolean(event.dataTransfer?.types.includes("Files"));

/**
 * @param {HTMLElement} panel
 * @param {(file: File) => void} onFile
 */
export function listenForFiles(panel, onFile) {
  for (const [button, field] of [
    [".add", ".file"],
    [".photograph", ".camera"],
  ]) {
    const input = find(panel, field, HTMLInputElement);
    find(panel, button).addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      const file = input.files?.[0];
      if (file) onFile(file);
      input.value = ""; // so that the same file can be chosen again
    });
  }

  const overlay = find(panel, ".drop-overlay"); // says that a file may be dropped here
  for (const kind of /** @type {const} */ (["dragenter", "dragover"])) {
    window.addEventListener(kind, (event) => {
      if (!event.dataTransfer || !holdsFiles(event)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
      overlay.hidden = false;
    });
  }
  window.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) overlay.hidden = true; // it left the window, not one element for another
  });
  window.addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    overlay.hidden = true;
    const file = event.dataTransfer?.files[0];
    if (file) onFile(file);
  });
  document.addEventListener("paste", (event) => {
    const file = event.clipboardData?.files[0];
    if (!file) return;
    event.preventDefault();
    onFile(file);
  });
}
