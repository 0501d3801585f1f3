import assert from "node:assert/strict";
import { test } from "node:test";
import { locatedProblem } from "./server-problems.ts";

const places = [
  [
    "duplicate-object",
    "/d/a.yaml:5: expected each object once, got that of /d/b.yaml:1 again",
    "/d/a.yaml:5",
  ],
  ["file-unreadable", "/d/a b.json: no such file", "/d/a b.json"],
  ["directory-unreadable", "/etc/mesh: permission denied: x", "/etc/mesh"],
  ["too-large", "/d/v1.yaml/c.yml:1: expected", "/d/v1.yaml/c.yml:1"],
  ["applied-hidden", "the one of /d/a.yaml:5 holds: another was applied, and does not count", ""],
  ["malformed", "a text without a place", ""],
] as const;

for (const [code, text, origin] of places) {
  test(`${code}: ${origin === "" ? "no place" : origin}`, () => {
    const finding = { severity: "error", code, ref: undefined, path: "", text, hint: "" } as const;
    const located = locatedProblem(finding);
    assert.equal(located.origin, origin);
    assert.equal(located.text, origin === "" ? text : text.slice(origin.length + 2));
  });
}
