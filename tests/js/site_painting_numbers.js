// Computes the masks of plans, and lines of Python, as a browser does on a site without a server:
// tests/app/test_site_painting.py compares them with those of Python.
import { readFileSync } from "node:fs";
import { regionMasks } from "../../fgsd/app/web/site/regions.js";

const { plans } = JSON.parse(readFileSync(0, "utf8"));

process.stdout.write(
  JSON.stringify({
    masks: plans.map(({ plan, numbers, side, feather, tileable }) => [
      ...regionMasks(Uint8Array.from(plan), numbers, side, { feather, tileable }),
    ]),
  }),
);
