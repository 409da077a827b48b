// How it works, and the keys: a dialog that the button and the key ? open.
import { closest, find } from "../shared/dom.js";

const TEXT_INPUTS = "input, select, textarea, [contenteditable]";

/** @param {HTMLElement} toolbar */
export function createHelp(toolbar) {
  const dialog = find(toolbar, ".help-dialog", HTMLDialogElement);
  const open = () => dialog.open || dialog.showModal();
  find(toolbar, ".help").addEventListener("click", open);
  document.addEventListener("keydown", (event) => {
    if (event.key === "?" && !closest(event, TEXT_INPUTS) && !document.querySelector("dialog[open]")) open();
  });
  dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close()); // beside it
}
