// The buttons that save the pictures of an interpolation, or copy their link.
import { copyText, downloadBlob, make } from "../shared/dom.js";

/** @type {Record<string, { label: string, title: string }>} by file type; "link" comes last */
const BUTTONS = {
  png: { label: "Save", title: "Save all of it as PNG, pixel for pixel" },
  gif: { label: "GIF", title: "Save the loop as GIF" },
  mp4: { label: "MP4", title: "Save the loop as video" },
  link: { label: "Link", title: "Copy an address that gives these pictures" },
};

/**
 * @param {HTMLElement} element
 * @param {Object} options
 * @param {() => void} options.onCopied the link is in the clipboard
 */
export function createExports(element, { onCopied }) {
  /** @type {{ name: string, files: Record<string, string> }} data URIs by file type */
  let offered = { name: "", files: {} };

  element.addEventListener("click", async ({ target }) => {
    const type = target instanceof HTMLElement ? target.dataset.export : undefined;
    const { name, files } = offered;
    if (type === "link") {
      if (await copyText(location.href, "Copy this address:")) onCopied();
    } else if (type) {
      downloadBlob(`${name}.${type}`, await (await fetch(files[type])).blob());
    }
  });

  return {
    /**
     * Show a button for each file, and one for the link; none without files.
     *
     * @param {{ name: string, files: Record<string, string> } | null} files
     */
    offer(files) {
      offered = files ?? { name: "", files: {} };
      const types = Object.keys(offered.files);
      const buttons = (types.length ? [...types, "link"] : []).map((type) => {
        const { label, title } = BUTTONS[type];
        const button = make("button", { type: "button", title, textContent: label });
        button.dataset.export = type;
        return button;
      });
      element.replaceChildren(...buttons);
    },
  };
}
