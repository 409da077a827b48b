// Import this before modules that listen to events of the page as soon as they are imported.
globalThis.document ??= new EventTarget();
// Node 18 has no global CustomEvent.
globalThis.CustomEvent ??= class extends Event {
  constructor(type, { detail } = {}) {
    super(type);
    this.detail = detail;
  }
};
