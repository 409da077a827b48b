// The map panel: it shows textures and training crops by their features, and lets the visitor set the target.
import { find } from "../shared/dom.js";
import { subscribe } from "../shared/session.js";
import { watchTheme } from "./canvas.js";
import { Chips } from "./chips.js";
import { ColourMenu } from "./colour_menu.js";
import { CropPainter } from "./crop_painter.js";
import { Crops } from "./crops.js";
import { TrueDistance } from "./distance.js";
import { Flight } from "./flight.js";
import { showNames } from "./hover.js";
import { Keyboard } from "./keyboard.js";
import { Lasso } from "./lasso.js";
import { paintOverlay } from "./overlay.js";
import { MapPanel } from "./panel.js";
import { MotionPainter } from "./motion_painter.js";
import { Paths } from "./paths.js";
import { Play } from "./play.js";
import { Pointer } from "./pointer.js";
import { Regions } from "./regions.js";
import { Requests } from "./requests.js";
import { Ring } from "./ring.js";
import { Search } from "./search.js";
import { Space } from "./space.js";
import { Thumbnails } from "./thumbnails.js";
import { Toolbar } from "./toolbar.js";
import { Tooltip } from "./tooltip.js";
import { Zoom } from "./zoom.js";

/**
 * Mount the panel. The component's value is the target. It fires `select` when a drag begins and `release`
 * when the target is to be sampled.
 *
 * @param {import("../shared/dom.js").Panel<import("../shared/events.js").TargetEntry[]>} gradio
 */
export function mount(gradio) {
  const panel = new MapPanel(gradio);
  const ground = context(panel.map, ".ground", { willReadFrequently: true });
  const over = context(panel.map, ".over", { willReadFrequently: true });
  const theme = watchTheme(panel.section, () => crops.recolour());
  const requests = new Requests(gradio.server);
  const size = () => ({ width: panel.map.clientWidth || 1, height: panel.map.clientHeight || 1 });
  panel.view.resize(size());

  // parts draw in the order of their creation: the lowest layer comes first
  const thumbnails = new Thumbnails(panel, over.canvas);
  const ring = new Ring(panel, thumbnails);
  const crops = new Crops(panel, requests, theme);
  new CropPainter(panel, crops, thumbnails, ground, theme);
  panel.on("paint", () => paintOverlay(panel, thumbnails, ring, over, theme));
  new MotionPainter(panel, thumbnails, over, theme);
  new Regions(panel, thumbnails, context(panel.map, ".regions"), over, theme);
  const lasso = new Lasso(panel, thumbnails, crops, over, theme);
  new Paths(panel, over, theme);
  new Chips(panel, thumbnails);
  new TrueDistance(panel, thumbnails, ring);

  new Play(panel, thumbnails, ring);

  const zoom = new Zoom(panel);
  const tooltip = new Tooltip(panel, crops, requests);
  const keyboard = new Keyboard(panel, { ring, lasso, zoom });
  new Pointer(panel, { ring, lasso, zoom, tooltip, keyboard, ground: ground.canvas });
  const search = new Search(panel, thumbnails, new Flight(panel, zoom));
  showNames(panel, thumbnails, crops, search, zoom);
  const menu = new ColourMenu(panel, crops, requests);

  const space = new Space(panel, thumbnails, requests);
  let shownCrops = "";
  new Toolbar(panel, (ms) => {
    tooltip.hide();
    thumbnails.arrange(ms);
    const { isMap, projection, level } = panel.view;
    if (isMap) void crops.show(shownCrops === `${projection}-${level}` ? 0 : ms);
    if (isMap) shownCrops = `${projection}-${level}`;
    if (crops.isColouredByValue) void menu.colour();
    space.redraw();
  });
  new ResizeObserver(() => {
    const { width, height } = panel.view.size;
    const now = size();
    if (!panel.map.clientWidth || (now.width === width && now.height === height)) return;
    zoom.resize(now);
    if (!panel.view.isMap) thumbnails.arrange(0);
  }).observe(panel.map);

  panel.say(panel.invitation);
  gradio.watch("value", () => panel.targetChanged());
  panel.targetChanged();
  subscribe("user-textures", (textures) => thumbnails.setUserTextures(textures));
}

/** @param {HTMLElement} map @param {string} selector @param {CanvasRenderingContext2DSettings} [settings] */
function context(map, selector, settings) {
  const found = find(map, selector, HTMLCanvasElement).getContext("2d", settings);
  if (!found) throw new Error("this browser has no canvas");
  return found;
}
