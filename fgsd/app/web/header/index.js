// The header of the app: its tools, and what watches the server.
import { find } from "../shared/dom.js";
import { keepStreamOpen } from "../shared/stream.js";
import { postponeAborts } from "./leaving.js";
import { watchServer } from "./reconnect.js";
import { checkRootPath } from "./root_path.js";
import { mount as mountToolbar } from "./toolbar.js";

/** @param {import("../shared/dom.js").Panel} panel */
export function mount(panel) {
  const toolbar = find(panel.element, ".toolbar");
  mountToolbar(panel);
  watchServer(find(toolbar, ".offline"));
  void checkRootPath(find(toolbar, ".offline"));
  postponeAborts();
  window.fetch = keepStreamOpen(window.fetch.bind(window));
}
