// Small helpers for the DOM.

/**
 * The arguments that Gradio passes to the script of a component (`js_on_load` of gr.HTML). `props.value` is
 * the component's value; the next event sends it to Python. `watch` calls a handler after Python has set it.
 *
 * @template [V=any]
 * @typedef {Object} Panel
 * @property {HTMLElement} element
 * @property {(event: string, data?: unknown) => void} trigger fires an event of the component in Python
 * @property {{ value: V }} props
 * @property {Record<string, (argument: any) => Promise<any>>} server functions of Python
 * @property {((file: File) => Promise<unknown>)} upload
 * @property {(properties: string | string[], handler: () => void) => void} watch
 */

/**
 * Return the first element that matches; throw if there is none.
 *
 * @template {Element} [T=HTMLElement]
 * @param {ParentNode} root
 * @param {string} selector
 * @param {new () => T} [kind] class of the element, HTMLElement if left out
 * @returns {T}
 */
export function find(root, selector, kind) {
  const found = root.querySelector(selector);
  if (!(found instanceof (kind ?? HTMLElement))) throw new Error(`the page has no ${selector}`);
  return /** @type {T} */ (found);
}

/**
 * Return all elements that match.
 *
 * @template {Element} [T=HTMLElement]
 * @param {ParentNode} root
 * @param {string} selector
 * @param {new () => T} [_kind] class of the elements, for the type
 * @returns {T[]}
 */
export function findAll(root, selector, _kind) {
  return /** @type {T[]} */ ([...root.querySelectorAll(selector)]);
}

/**
 * Return the nearest element around an event's target that matches.
 *
 * @param {Event} event
 * @param {string} selector
 * @returns {HTMLElement | null}
 */
export function closest(event, selector) {
  const { target } = event;
  return target instanceof Element ? /** @type {HTMLElement | null} */ (target.closest(selector)) : null;
}

/**
 * Make an element with these properties and children.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Partial<HTMLElementTagNameMap[K]>} [properties]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/**
 * Load and decode an image.
 *
 * @param {string} src
 * @returns {Promise<HTMLImageElement>} rejects if the address holds no image
 */
export async function decodeImage(src) {
  const image = new Image();
  image.src = src;
  await image.decode();
  return image;
}

/**
 * Save the contents of an address as a file.
 *
 * @param {string} name
 * @param {string} url
 */
export function download(name, url) {
  make("a", { href: url, download: name }).click();
}

/**
 * Save a file of any size: browsers refuse long data URIs.
 *
 * @param {string} name
 * @param {Blob} blob
 */
export function downloadBlob(name, blob) {
  const url = URL.createObjectURL(blob);
  download(name, url);
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/**
 * Copy a text. Where the browser refuses access to the clipboard, a prompt shows the text instead.
 *
 * @param {string} text
 * @param {string} [request] words of the prompt
 * @returns {Promise<boolean>} whether it is in the clipboard
 */
export async function copyText(text, request = "Copy this:") {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    if (window.top !== window && copySelected(text)) return true; // in a frame, no prompt opens
    window.prompt(request, text);
    return false;
  }
}

/** Copy a text as a selection, which needs no permission of the frame. @param {string} text */
function copySelected(text) {
  const area = make("textarea", { value: text, readOnly: true });
  area.style.cssText = "position: fixed; opacity: 0";
  const focused = document.activeElement;
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return copied;
}

/** Whether the visitor has asked for less motion. @returns {boolean} */
export function reducedMotion() {
  return window.matchMedia("(prefers-reduced-motion: reduce)").matches;
}
