/** docs/policy.md names every code that a script may meet. */

import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { verdicts } from "../../src/core/policy/explain-verdict.ts";

const root = join(import.meta.dirname, "../..");
const read = (file: string): string => readFileSync(join(root, file), "utf8");
const page = read("docs/policy.md");
const sources = globSync("src/core/policy/findings*.ts", { cwd: root })
  .filter((file) => !file.endsWith(".test.ts"))
  .map(read)
  .join("\n");

test("names each code that findings have, and none that they do not", () => {
  const written = sources.matchAll(/"(?<code>[a-z]+(?:-[a-z]+)+)"/g);
  const codes = new Set(Array.from(written, ({ groups }) => groups?.["code"] ?? ""));
  assert(codes.size > 25);
  const [, table = ""] = page.split("## What `validate` finds");
  const missing = [...codes].filter((code) => !table.includes(`\`${code}\``));
  assert.deepEqual(missing, []);
  const rows = table.split("\n").filter((line) => line.startsWith("| `"));
  const told = rows.flatMap((row) => [...(row.split("|")[1] ?? "").matchAll(/`([a-z-]+)`/g)]);
  const others = ["src/edge/resources/*.ts", "src/app/server/policy/resources/*.ts"];
  const parsers = globSync(others, { cwd: root }).map(read).join("\n");
  const known = `${sources}\n${parsers}`;
  const strange = told.map(([, code]) => code).filter((code) => !known.includes(`"${code}"`));
  assert.deepEqual(strange, []);
});

test("names each verdict", () => {
  for (const verdict of verdicts) assert.ok(page.includes(`| \`${verdict}\``), verdict);
});

test("names each state of a proxy", () => {
  const proto = read("proto/portcullis/admin/v1/admin.proto");
  const [, list = ""] = /\/\/ (in-force, .*)\n {2}string state = /.exec(proto) ?? [];
  const states = list.split(", ");
  assert.equal(states.length, 8, list);
  for (const state of states) assert.ok(page.includes(`| \`${state}\` `), state);
});
