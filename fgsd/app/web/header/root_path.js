// Notices that the page's events cannot reach its server, and says what to set: behind a proxy that serves
// the page under another path, Gradio sends them to the path that the server knows.
import { answeringServer } from "./reconnect.js";

/** @param {string} url @returns {[string, string]} origin, and path without the last slash */
function parts(url) {
  const { origin, pathname } = new URL(".", url);
  return [origin, pathname.replace(/\/$/, "")];
}

/**
 * What GRADIO_ROOT_PATH should be.
 *
 * @param {string} root address to which Gradio sends events
 * @param {string} page address of the page, as the browser sees it
 * @returns {string | null} null if both agree
 */
export function rootPath(root, page) {
  const [origin, path] = parts(page);
  const [sentOrigin, sentPath] = parts(`${root.replace(/\/$/, "")}/`);
  if (sentOrigin === origin && sentPath === path) return null;
  return sentOrigin === origin ? path : origin + path;
}

/** @param {HTMLElement} notice */
export async function checkRootPath(notice) {
  const { root, app_id: server } = /** @type {any} */ (window).gradio_config;
  const value = rootPath(root, location.href);
  if (value === null || (await answeringServer(`${root}/`)) === server) return;
  notice.textContent =
    "This page cannot reach its server. Behind a proxy, the server must know its address: " +
    `start it with GRADIO_ROOT_PATH=${value || "/"}`;
  notice.hidden = false;
  document.documentElement.toggleAttribute("data-unreachable", true);
}
