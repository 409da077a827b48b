// Computes the masks of plans, and lines of Python, as a browser does on a site without a server:
// tests/app/test_site_painting.py compares them with those of Python.
import { readFileSync } from "node:fs";
import { texturesOfColours } from "../../fgsd/app/web/site/painting.js";
import { colourOf, parsePainting } from "../../fgsd/app/web/site/paint_request.js";
import { paintingToPython } from "../../fgsd/app/web/site/python_code.js";
import { regionMasks } from "../../fgsd/app/web/site/regions.js";

const { plans, query, bounds, colours, classes, means } = JSON.parse(readFileSync(0, "utf8"));
const table = { classes, arrays: { colours: Float32Array.from(means) } };

process.stdout.write(
  JSON.stringify({
    masks: plans.map(({ plan, numbers, side, feather, tileable }) => [
      ...regionMasks(Uint8Array.from(plan), numbers, side, { feather, tileable }),
    ]),
    python: paintingToPython(await parsePainting(query, bounds), query.colours, 16, "checkpoints/mine"),
    names: colours.map((some) => texturesOfColours(table, some.map(colourOf))),
  }),
);
