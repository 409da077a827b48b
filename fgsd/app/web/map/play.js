// Play: a random mixture, and a ring that wanders over the map until the visitor takes over.
import { find } from "../shared/dom.js";
import { announce } from "../shared/session.js";

/** @typedef {import("../shared/events.js").TargetEntry} TargetEntry */
/** @typedef {import("./view.js").Position} Position */

const MOST = 3; // textures of a random mixture
const SPEED = 0.06; // of the ring, in widths of the map a second
const REST_S = 0.8; // seconds at a texture
const TICK_MS = 60;
const LONGEST_MS = 10 * 60_000; // the ring comes to rest: nobody may be there any more
const TAKE_OVER = ["pointerdown", "keydown", "wheel"];

/**
 * A mixture of one to three textures.
 *
 * @param {string[]} names of all textures
 * @param {() => number} [random] a number from 0 to 1
 * @returns {TargetEntry[]} weights in percent
 */
export function randomMixture(names, random = Math.random) {
  const left = [...names];
  const count = Math.min(left.length, 1 + Math.floor(MOST * random()));
  return Array.from({ length: count }, () => {
    const [name] = left.splice(Math.floor(random() * left.length), 1);
    return { name, weight: Math.round(20 + 80 * random()) };
  });
}

/**
 * Seconds from one position to another, without the rest at its end.
 *
 * @param {Position} from
 * @param {Position} to
 * @param {number} heightOverWidth of the map
 */
export function legSeconds(from, to, heightOverWidth) {
  return Math.max(0.5, Math.hypot(to.x - from.x, (to.y - from.y) * heightOverWidth) / SPEED);
}

/**
 * The position on the way from one texture to another: it starts and stops gently, and rests at the end.
 *
 * @param {Position} from
 * @param {Position} to
 * @param {number} elapsed seconds
 * @param {number} seconds of the way
 * @returns {Position}
 */
export function positionOnLeg(from, to, elapsed, seconds) {
  const share = Math.min(1, elapsed / seconds);
  const eased = (1 - Math.cos(Math.PI * share)) / 2;
  return { x: from.x + eased * (to.x - from.x), y: from.y + eased * (to.y - from.y) };
}

const PRESSES = ["Enter", " "];

/**
 * Whether an event opens or leaves full screen, in which the ring goes on.
 *
 * @param {Event} [event]
 */
function isOfFullScreen(event) {
  if (!(event?.target instanceof Element) || !event.target.closest(".full-screen")) return false;
  return !(event instanceof KeyboardEvent) || PRESSES.includes(event.key);
}

export class Play {
  /**
   * @param {import("./panel.js").MapPanel} panel
   * @param {import("./thumbnails.js").Thumbnails} thumbnails
   * @param {import("./ring.js").Ring} ring
   */
  constructor(panel, thumbnails, ring) {
    this.panel = panel;
    this.thumbnails = thumbnails;
    this.ring = ring;
    this.button = find(panel.section, ".wander");
    this.timer = 0;
    this.wasStopped = false; // by the press that is now a click
    this.stop = this.stop.bind(this);
    find(panel.section, ".surprise").addEventListener("click", () => {
      panel.choose(randomMixture([...thumbnails.buttons.keys()]));
    });
    this.button.addEventListener("click", () => {
      if (!this.wasStopped) this.start();
      this.wasStopped = false;
    });
    document.addEventListener("visibilitychange", () => document.hidden && this.stop());
  }

  start() {
    const { panel, thumbnails, ring } = this;
    if (panel.dragging || thumbnails.buttons.size < 2) return;
    this.button.setAttribute("aria-pressed", "true");
    announce("wander", true);
    panel.startDrag();
    for (const kind of TAKE_OVER) window.addEventListener(kind, this.stop, true);
    const began = performance.now();
    let from = ring.position;
    let to = from;
    let seconds = 0;
    let legBegan = -Infinity;
    const tick = () => {
      const now = performance.now();
      if (now - legBegan > 1000 * (seconds + REST_S)) {
        const names = [...thumbnails.buttons.keys()];
        from = ring.position;
        to = thumbnails.centre(names[Math.floor(Math.random() * names.length)]);
        seconds = legSeconds(from, to, panel.view.size.height / panel.view.size.width);
        legBegan = now;
      }
      ring.put(positionOnLeg(from, to, (now - legBegan) / 1000, seconds));
      if (now - began > LONGEST_MS) this.stop();
      else this.timer = window.setTimeout(tick, TICK_MS);
    };
    tick();
  }

  /** The ring comes to rest, and its mixture is sampled. @param {Event} [event] */
  stop(event) {
    if (this.button.getAttribute("aria-pressed") === "false" || isOfFullScreen(event)) return;
    clearTimeout(this.timer);
    for (const kind of TAKE_OVER) window.removeEventListener(kind, this.stop, true);
    this.button.setAttribute("aria-pressed", "false");
    announce("wander", false);
    const presses = !(event instanceof KeyboardEvent) || PRESSES.includes(event.key);
    this.wasStopped = presses && event?.target instanceof Node && this.button.contains(event.target);
    this.panel.endDrag();
  }
}
