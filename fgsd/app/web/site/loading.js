// Loading the network: once, with its progress; on a metered connection after the visitor has agreed.
import { isMetered } from "../shared/connection.js";
import { find } from "../shared/dom.js";
import { areKept, totalBytes } from "./files.js";

const MB = 1e6;

/** @param {number} bytes */
const megabytes = (bytes) => (bytes / MB).toFixed(bytes < 10 * MB ? 1 : 0);

/**
 * @param {HTMLElement} notice holds a text, a progress bar and a button
 */
export function createLoading(notice) {
  const [text, amount] = [find(notice, "p"), find(notice, ".amount")];
  const bar = find(notice, "progress", HTMLProgressElement);
  const button = find(notice, "button", HTMLButtonElement);
  const base = new URL(".", document.baseURI).href;
  let total = 0;
  let loaded = 0;
  let active = false; // what arrives after a failure is not told
  /** @type {Promise<void> | null} */
  let agreed = null;

  /** Screen readers tell each change, so nothing is said twice. @param {string} words */
  function say(words) {
    if (text.textContent !== words) text.textContent = words;
  }

  /**
   * Wait until the visitor has agreed to load, where that has to be asked.
   *
   * @param {import("./files.js").SiteFile[]} files all that is to be loaded
   * @returns {Promise<void>}
   */
  function agree(files) {
    total = totalBytes(files);
    active = true;
    agreed ??= areKept(base, files).then((kept) => (kept || !isMetered() ? undefined : ask()));
    return agreed;
  }

  /** @returns {Promise<void>} */
  function ask() {
    say(`Your browser samples by itself. For that it needs ${megabytes(total)} MB, once.`);
    bar.hidden = true;
    button.hidden = notice.hidden = false;
    return new Promise((resolve) => {
      button.onclick = () => {
        button.hidden = true;
        resolve();
      };
    });
  }

  /** @param {number} bytes that have arrived */
  function arrived(bytes) {
    if (!active) return;
    loaded = Math.min(total, loaded + bytes);
    bar.max = total;
    bar.value = loaded;
    bar.hidden = false;
    amount.textContent = `${megabytes(loaded)} of ${megabytes(total)} MB`;
    notice.hidden = false;
    say(loaded < total ? "Loading the network, once" : "Starting the network …");
  }

  function done() {
    active = false;
    notice.hidden = true;
  }

  /** What failed is loaded again with the next request. */
  function failed() {
    loaded = 0;
    done();
  }

  return { agree, arrived, done, failed };
}
