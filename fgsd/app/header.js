// Tools of the header. Runs once, inside a function of (element, trigger, props, server, upload, watch).
// Undo and redo go through the browser's history, of which each sampled picture is a step; see history.js.
const tools = element.querySelector(".tools");
const tool = (name) => tools.querySelector(`.${name}`);
let walk = { step: 0, last: 0 };

tool("shade").addEventListener("click", () => document.body.classList.toggle("dark"));
tool("undo").addEventListener("click", () => walk.step > 0 && history.back());
tool("redo").addEventListener("click", () => walk.step < walk.last && history.forward());
document.addEventListener("fgsd:history", ({ detail }) => {
  walk = detail;
  tool("undo").disabled = walk.step <= 0; // further back is another page
  tool("redo").disabled = walk.step >= walk.last;
});

const TEXT = "textarea, [contenteditable], input:not([type=range], [type=radio], [type=checkbox], [type=button])";
document.addEventListener("keydown", (event) => {
  const key = event.key.toLowerCase();
  if (!(event.ctrlKey || event.metaKey) || event.altKey || event.target.closest?.(TEXT)) return;
  if (key === "z" && !event.shiftKey) tool("undo").click();
  else if (key === "y" || key === "z") tool("redo").click();
  else return;
  event.preventDefault();
});

// What a visitor sets is sampled once they have let go of it; Gradio hears of it in the same moment.
document.addEventListener("change", (event) => {
  if (!event.target.closest("#controls") || event.target.closest("#view")) return;
  if (!event.target.matches("[type=range], [type=number], [type=radio], [type=checkbox]")) return;
  setTimeout(() => document.querySelector("#sample").click());
});
