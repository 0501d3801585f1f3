import assert from "node:assert/strict";
import { test } from "node:test";
import { CertificateEnds } from "./certificate-ends.ts";

test("asks for an identity once, and again when what it had has passed", () => {
  let endsAtMs = 10;
  const asked: string[] = [];
  const ends = new CertificateEnds((id) => {
    asked.push(id);
    return endsAtMs;
  });
  const haveEnded = (nowMs: number): boolean[] => {
    const look = ends.begin(nowMs);
    return ["a", "a"].map((id) => look.haveEnded(id));
  };
  assert.deepEqual([haveEnded(0), haveEnded(9), asked.length], [[false, false], [false, false], 1]);
  endsAtMs = 20;
  assert.deepEqual([haveEnded(10), asked.length], [[false, false], 2]);
  assert.deepEqual([haveEnded(20), asked.length], [[true, true], 3]);
});

test("asks for 200 at a look, and takes nobody's for ended whom it has not asked for", () => {
  let asked = 0;
  const ends = new CertificateEnds(() => (asked++, 0));
  const all = Array.from({ length: 500 }, (_, i) => `id${i}`);
  const look = ends.begin(1);
  assert.equal(all.filter((id) => look.haveEnded(id)).length, 200);
  assert.equal(asked, 200);
});
