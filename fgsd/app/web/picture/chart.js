// The chart over the timeline: noise level (logarithmic) and distance to the target (from 0), each on a scale
// of its own, step under step. Stands before timeline.js, in the same function.
const LOWEST = 0.02; // noise level at the bottom, unless a run goes lower
const line = (chart, name) => chart.querySelector(`.${name}`);

function points(steps, total, height) {
  return steps
    .map((frame) => [place(frame, total), height(frame)])
    .map(([x, y]) => `${x.toFixed(2)},${(94 - 88 * y).toFixed(2)}`)
    .join(" ");
}

const place = (frame, total) => (total > 1 ? (100 * (frame.index - 1)) / (total - 1) : 50);

function drawChart(chart, steps, total, at) {
  const sigmas = steps.map((frame) => frame.sigma);
  const [low, high] = [Math.min(LOWEST, ...sigmas), Math.max(LOWEST * 2, ...sigmas)].map(Math.log);
  line(chart, "sigma").setAttribute(
    "points",
    points(steps, total, (frame) => (Math.log(frame.sigma) - low) / (high - low)),
  );
  const known = steps.filter((frame) => frame.distance !== null);
  const most = Math.max(1, ...known.map((frame) => frame.distance));
  line(chart, "distance").setAttribute(
    "points",
    points(known, total, (frame) => frame.distance / most),
  );
  drawLine(line(chart, "marker"), at === null ? null : place({ index: at }, total));
}

function drawHover(chart, frame) {
  drawLine(line(chart, "hover"), frame && place(frame, frame.steps));
}

function drawLine(mark, x) {
  mark.style.display = x === null ? "none" : "";
  for (const end of ["x1", "x2"]) mark.setAttribute(end, x ?? 0);
}
