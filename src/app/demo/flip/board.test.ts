import assert from "node:assert/strict";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { painter } from "../paint.ts";
import { boardLine, boardLines, type FlipBoard } from "./board.ts";

const view: FlipBoard = {
  phase: "Portcullis demo, act 3, seed 4294967295: 3 of 5: nobody may have sent plaintext for 24 s",
  modes: new Map([
    ["api-1", "strict"],
    ["api-2", "permissive"],
    ["api-3", ""],
  ]),
  verdict: "unsafe",
  named: ["legacy/cron", "shop/batch-1"],
  meshed: { sent: 1_234, failed: 0 },
  plaintext: { served: 28, refused: 4 },
};

test("says what each server takes, and who is in the way", () => {
  const lines = boardLines(view, painter(false)).join("\n");
  assert.match(lines, /api-1 strict {3}api-2 permissive {3}api-3 -/);
  assert.match(lines, /UNSAFE: legacy\/cron, shop\/batch-1/);
  assert.match(lines, /1234 requests sent, 0 failed/);
  assert.match(lines, /28 served, 4 refused/);
  assert.match(boardLine(view), /^1234 requests over mTLS, 0 failed; .* 1 of 3 strict; UNSAFE$/);
});

test("says nothing of a verdict that nobody has given yet", () => {
  const lines = boardLines({ ...view, verdict: "", named: [] }, painter(false));
  assert.match(lines.join("\n"), /^ verdict +-$/m);
});

test("has colours only for who can see them", () => {
  const [plain, coloured] = [false, true].map((colour) => boardLines(view, painter(colour)));
  assert.notDeepEqual(coloured, plain);
  assert.deepEqual(coloured?.map(stripVTControlCharacters), plain);
  for (const line of plain ?? []) assert(line.length <= 100, line);
});
