// The visitor's own machine as a maker of pictures: loaded once, checked, and left alone after its first
// failure.
import { isMetered } from "../shared/connection.js";
import { find, make } from "../shared/dom.js";

/** @typedef {ReturnType<typeof import("../site/previews.js").createPreviews>} Browser */

const NAME = "site/previews.js";

/** @param {string} address relative to the page */
const absolute = (address) => new URL(address, document.baseURI).href;

/** @param {HTMLElement} panel whose `data-site` is the address of the data */
export function createLocalBrowser(panel) {
  /** @type {Browser | null} null until it is loaded, and after its first failure */
  let browser = null;
  /** @type {Promise<void> | null} */
  let loading = null;
  /** @type {Promise<void> | null} */
  let loadingRuns = null;
  let mayRun = false; // what runs need is loaded, and checked

  /** From now on the server makes everything. @param {unknown} error */
  function giveUp(error) {
    console.warn("Pictures are left to the server:", error instanceof Error ? error.message : error);
    browser?.end();
    browser = null;
    mayRun = false;
  }

  /** @param {(progress: (share: number) => void) => Promise<void>} run */
  async function withProgress(run) {
    const bar = make("progress", { className: "fetching", value: 0 });
    bar.setAttribute("aria-label", "Loading the network, so that this machine makes pictures");
    bar.title = "Loading the network, so that your own machine makes pictures where it is faster";
    find(panel, ".stage").append(bar);
    await run((share) => (bar.value = share));
    bar.remove();
  }

  /** @param {(share: number) => void} progress */
  async function load(progress) {
    /** @type {Browser | null} */
    let made = null;
    try {
      const response = await fetch(absolute(panel.dataset.site ?? ""));
      const config = await response.json();
      const { modules } = await import(absolute(config.script));
      made = /** @type {Browser} */ (modules[NAME].createPreviews(config));
      await made.load(progress);
      browser = made;
    } catch (error) {
      made?.end();
      giveUp(error);
    }
  }

  /** @param {(share: number) => void} progress */
  async function loadRuns(progress) {
    const made = browser;
    try {
      await made?.loadRuns(progress);
      mayRun = made !== null && made === browser;
    } catch (error) {
      if (made === browser) giveUp(error);
    }
  }

  return {
    sampling: false, // whether it makes a run now
    /** What makes pictures; null while it cannot. */
    get made() {
      return browser;
    },
    /** Whether it makes whole runs too. */
    get mayRun() {
      return mayRun;
    },
    giveUp,
    /** Load what previews need, once, unless the visitor pays for it. */
    load() {
      if (!isMetered()) loading ??= withProgress(load);
      return loading ?? Promise.resolve();
    },
    /** Load what runs need beside it, once. */
    loadRuns() {
      if (browser) loadingRuns ??= withProgress(loadRuns);
      return loadingRuns ?? Promise.resolve();
    },
  };
}
