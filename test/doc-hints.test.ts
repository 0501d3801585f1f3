/** Where an operator is sent for more: each document that the words of src name is there, and has the section. */

import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";

const root = join(import.meta.dirname, "..");
/** `docs/kubernetes.md`, or `docs/kubernetes.md, Where the root's key is` to the end of the words, or of their parenthesis. */
const hintPattern = /\bdocs\/([\w-]+\.md)(?:, ([^"`)\n]+))?/g;

function hintsOf(file: string): { file: string; path: string; section: string | undefined }[] {
  const code = readFileSync(join(root, file), "utf8")
    .split("\n")
    .filter((line) => !/^\s*(\/\/|\/?\*)/.test(line))
    .join("\n");
  return [...code.matchAll(hintPattern)].map(([, name = "", section]) => {
    return { file, path: `docs/${name}`, section };
  });
}

function hasSection(path: string, section: string): boolean {
  const lines = readFileSync(join(root, path), "utf8").split("\n");
  return lines.some((line) => /^#+ /.test(line) && line.replace(/^#+ /, "") === section);
}

it("hints name documents and sections that exist", () => {
  const files = globSync("src/**/*.ts", { cwd: root }).filter((file) => !file.endsWith(".test.ts"));
  const hints = files.flatMap(hintsOf);
  assert.ok(hints.some(({ section }) => section !== undefined));
  const wrong = hints.filter(
    ({ path, section }) =>
      !existsSync(join(root, path)) || (section !== undefined && !hasSection(path, section)),
  );
  assert.deepEqual(wrong, []);
});
