// A request as Python code that makes the same pixels: as `fgsd.app.requests.python_code`.

/** @param {string} text */
const quoted = (text) => (/['"\\]/.test(text) ? JSON.stringify(text) : `'${text}'`);

// as Python writes a float: 1.0, not 1
/** @param {number} value */
const float = (value) => (Number.isInteger(value) ? value.toFixed(1) : String(value));

/** @param {import("./centroids.js").Part} part */
function centroidOf({ name, move }) {
  const centroid = `pipe.table.of(${quoted(name)})`;
  return move ? `pipe.map.moved(${centroid}, ${move.map(float).join(", ")})` : centroid;
}

/**
 * The lines of an expression for a target.
 *
 * @param {import("./centroids.js").Part[]} parts
 */
function targetLines(parts) {
  if (parts.length === 1) return [centroidOf(parts[0])];
  return [
    "mean_centroid(",
    "    [",
    ...parts.map((part) => `        (${centroidOf(part)}, ${float(part.weight)}),`),
    "    ]",
    ")",
  ];
}

/** @param {string} checkpoint @param {boolean} mixes @param {string[]} imports */
const head = (checkpoint, mixes, ...imports) => [
  "from fgsd import Pipeline",
  ...(mixes ? ["from fgsd.centroids import mean_centroid"] : []),
  ...imports,
  "",
  `pipe = Pipeline.from_pretrained(${quoted(checkpoint)})`,
];

/** @param {boolean} value */
const boolean = (value) => (value ? "True" : "False");

const SAVE = [
  "images = last.images",
  "for k, image in enumerate(images):",
  '    image.save(f"sample-{k}.png")',
  "",
];

/**
 * @param {import("./request.js").Request} request
 * @param {string} checkpoint what `Pipeline.from_pretrained` takes
 * @returns {string}
 */
export function toPython({ parts, n, steps, size, seed, strength, sampler, tileable }, checkpoint) {
  const [first, ...more] = targetLines(parts);
  return [
    ...head(checkpoint, parts.length > 1),
    `target = ${first}`,
    ...more,
    "*_, last = pipe.stream(",
    "    target,",
    `    n=${n},`,
    `    steps=${steps},`,
    `    size=${size},`,
    `    seed=${seed},`,
    `    strength=${float(strength)},`,
    `    sampler=${quoted(sampler)},`,
    `    tileable=${boolean(tileable)},`,
    ")",
    ...SAVE,
  ].join("\n");
}

/**
 * @param {import("./paint_request.js").PaintRequest} request
 * @param {string[]} colours of all regions in the plan that is saved
 * @param {number} steps
 * @param {string} checkpoint what `Pipeline.from_pretrained` takes
 * @returns {string}
 */
export function paintingToPython({ numbers, targets, feather, seed, tileable }, colours, steps, checkpoint) {
  const legend = targets.flatMap((parts, k) => {
    const [first, ...more] = targetLines(parts);
    const lines = [`${quoted(colours[numbers[k]])}: ${first}`, ...more].map((line) => `    ${line}`);
    return [...lines.slice(0, -1), `${lines.at(-1)},`];
  });
  const mixes = targets.some((parts) => parts.length > 1);
  return [
    "# plan.png is saved by the same menu",
    ...head(checkpoint, mixes, "from fgsd.regions import plan_masks"),
    "targets = {",
    ...legend,
    "}",
    "plan = plan_masks('plan.png', {colour: colour for colour in targets})",
    "*_, last = pipe.paint_stream(",
    "    [(targets[colour], mask) for colour, mask in plan],",
    `    feather=${float(feather)},`,
    "    n=1,",
    `    seed=${seed},`,
    `    steps=${steps},`,
    "    strength=1.0,",
    "    sampler='dpm2m',",
    `    tileable=${boolean(tileable)},`,
    ")",
    ...SAVE,
  ].join("\n");
}
