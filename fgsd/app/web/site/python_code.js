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
 * @param {import("./request.js").Request} request
 * @param {string} checkpoint what `Pipeline.from_pretrained` takes
 * @returns {string}
 */
export function toPython({ parts, n, steps, size, seed, strength, sampler, tileable }, checkpoint) {
  const mixed = parts.length > 1;
  const target = mixed
    ? [
        "target = mean_centroid(",
        "    [",
        ...parts.map((part) => `        (${centroidOf(part)}, ${float(part.weight)}),`),
        "    ]",
        ")",
      ]
    : [`target = ${centroidOf(parts[0])}`];
  return [
    "from fgsd import Pipeline",
    ...(mixed ? ["from fgsd.centroids import mean_centroid"] : []),
    "",
    `pipe = Pipeline.from_pretrained(${quoted(checkpoint)})`,
    ...target,
    "*_, last = pipe.stream(",
    "    target,",
    `    n=${n},`,
    `    steps=${steps},`,
    `    size=${size},`,
    `    seed=${seed},`,
    `    strength=${float(strength)},`,
    `    sampler=${quoted(sampler)},`,
    `    tileable=${tileable ? "True" : "False"},`,
    ")",
    "images = last.images",
    "for k, image in enumerate(images):",
    '    image.save(f"sample-{k}.png")',
    "",
  ].join("\n");
}
