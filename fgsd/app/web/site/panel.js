// What Gradio gives to a panel of the app, for a page without it.

/**
 * @template V
 * @param {string} id of the element that holds the panel
 * @param {V} value
 * @param {Object} options
 * @param {(event: string, data?: any) => void} options.trigger takes the panel's events
 * @param {import("../shared/dom.js").Panel["server"]} [options.server] what the panel asks for
 * @returns {{ panel: import("../shared/dom.js").Panel<V>, set: (value: V) => void }} `set` changes the value,
 *  as Python would
 */
export function createPanel(id, value, { trigger, server = {} }) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  const props = { value };
  /** @type {(() => void)[]} */
  const watchers = [];
  const panel = {
    ...{ element, props, server, trigger },
    upload: () => Promise.reject(new Error("This site takes no files.")),
    watch: (/** @type {unknown} */ _properties, /** @type {() => void} */ handler) => {
      watchers.push(handler);
    },
  };
  /** @param {V} changed */
  const set = (changed) => {
    props.value = changed;
    for (const handler of watchers) handler();
  };
  return { panel, set };
}
