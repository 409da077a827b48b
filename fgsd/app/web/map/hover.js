// Shows the name of the thumbnail under the pointer, or of the one with the focus, in the hint line.
import { closest } from "../shared/dom.js";

/**
 * @param {import("./panel.js").MapPanel} panel
 * @param {import("./thumbnails.js").Thumbnails} thumbnails
 * @param {import("./crops.js").Crops} crops
 * @param {import("./search.js").Search} search whose results stay in the hint line
 * @param {import("./zoom.js").Zoom} zoom
 */
export function showNames(panel, thumbnails, crops, search, zoom) {
  const { map, view } = panel;
  for (const type of ["pointerover", "focusin"]) {
    map.addEventListener(type, (event) => {
      if (panel.gesture || search.isActive) return;
      const name = closest(event, ".dot")?.dataset.name ?? null;
      const family = panel.families.of.get(name ?? "");
      panel.say(name && family ? `${name} · ${family}` : (name ?? panel.invitation));
      crops.highlight(name);
    });
  }
  map.addEventListener("pointerleave", () => {
    panel.say(panel.invitation);
    crops.highlight(null);
  });
  // scroll a thumbnail into view when the keyboard reaches it
  map.addEventListener("focusin", (event) => {
    const name = closest(event, ".dot:focus-visible")?.dataset.name;
    if (!name || !view.isMap) return;
    const { x, y } = view.toPixel(thumbnails.centre(name));
    const { width, height } = view.size;
    if (x <= 0 || y <= 0 || x >= width || y >= height) zoom.panBy(width / 2 - x, height / 2 - y);
  });
}
