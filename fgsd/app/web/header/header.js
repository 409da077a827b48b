// Tools of the header. Runs once, inside a function of (element, trigger, props, server, upload, watch), after
// `pressSample` of controls_room.py. Undo and redo go through the browser's history, of which each sampled
// picture is a step; see history.js.
const tools = element.querySelector(".tools");
const tool = (name) => tools.querySelector(`.${name}`);
let walk = { step: 0, last: 0 };
let asked = 0; // steps that the browser has still to be told of
let moving = false;

// One journey at a time: of two that are begun at once, browsers forget the first.
function move(by) {
  asked += by;
  if (moving || !asked) return;
  const step = history.state?.step ?? 0;
  const way = Math.min(walk.last, Math.max(0, step + asked)) - step; // further back is another page
  asked = 0;
  moving = way !== 0;
  if (moving) history.go(way);
}

tool("shade").addEventListener("click", () => document.body.classList.toggle("dark"));
tool("undo").addEventListener("click", () => move(-1));
tool("redo").addEventListener("click", () => move(1));
window.addEventListener("popstate", () => {
  moving = false;
  move(0);
});
document.addEventListener("fgsd:history", ({ detail }) => {
  walk = detail;
  tool("undo").disabled = walk.step <= 0;
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

// There is something to stop while the newest run, of whichever room, has more to come.
let newestRun = 0;
document.addEventListener("fgsd:running", ({ detail: { run, running } }) => {
  const stop = document.querySelector("#stop");
  if (!stop || !(run >= newestRun)) return;
  newestRun = run;
  stop.disabled = !running;
});

// What a visitor sets is sampled once they have let go of it; Gradio hears of it in the same moment.
document.addEventListener("change", (event) => {
  if (!event.target.closest("#controls") || event.target.closest("#view")) return;
  if (!event.target.matches("[type=range], [type=number], [type=radio], [type=checkbox]")) return;
  setTimeout(pressSample);
});
