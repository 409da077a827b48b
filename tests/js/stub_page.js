// Import this before modules that listen to events of the page as soon as they are imported.
globalThis.document ??= new EventTarget();
