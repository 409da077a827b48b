// The modules of the page as a whole.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const web = fileURLToPath(new URL("../../fgsd/app/web", import.meta.url));
const paths = readdirSync(web, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .flatMap(({ name }) => readdirSync(join(web, name)).map((file) => `${name}/${file}`))
  .filter((path) => path.endsWith(".js"));
const imports = new Map(
  paths.map((path) => {
    const source = readFileSync(join(web, path), "utf8");
    const found = [...source.matchAll(/^import [^;]*?"([^"]+)";/gms)];
    return [path, found.map(([, name]) => normalize(join(dirname(path), name)))];
  }),
);

test("there is no cycle of imports", () => {
  const finished = new Set();
  const visit = (path, chain) => {
    assert.ok(!chain.includes(path), `a cycle: ${[...chain, path].join(" -> ")}`);
    if (finished.has(path)) return;
    assert.ok(imports.has(path), `${chain.at(-1)} imports ${path}, which is not there`);
    for (const next of imports.get(path)) visit(next, [...chain, path]);
    finished.add(path);
  };
  for (const path of paths) visit(path, []);
  assert.ok(finished.size > 50);
});

test("a panel imports from its own folder and from shared/, and shared/ from no panel", () => {
  for (const [path, names] of imports) {
    for (const name of names) {
      assert.ok([dirname(path), "shared"].includes(dirname(name)), `${path} imports ${name}`);
    }
  }
});

test("every module is used: by another module, or mounted by Python", () => {
  const used = new Set([...imports.values()].flat());
  const python = ["panels", "site", "."]
    .flatMap((folder) => readdirSync(join(web, "..", folder)).map((file) => join(web, "..", folder, file)))
    .filter((file) => file.endsWith(".py"))
    .map((file) => readFileSync(file, "utf8"))
    .join("\n");
  for (const path of paths) {
    const [folder, file] = path.split("/");
    const mounted =
      file === "index.js"
        ? python.includes(`mount_script("${folder}")`)
        : python.includes(`mount_script("${folder}", "${file}")`) || python.includes(`call_script("${path}"`);
    const bundled = python.includes(`bundle_of("${path}"`); // of a site without a server
    assert.ok(used.has(path) || mounted || bundled, `nothing uses ${path}`);
  }
});
