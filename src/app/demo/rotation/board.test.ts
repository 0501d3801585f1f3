import assert from "node:assert/strict";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { painter } from "../paint.ts";
import { boardLine, boardLines, type RootsView } from "./board.ts";

const view: RootsView = {
  phase: "Portcullis demo, act 2, seed 4294967295: 2 of 6: activate, which waits for the frozen",
  roots: [
    { letter: "A", state: "active" },
    { letter: "B", state: "prepared" },
  ],
  verifiers: {
    total: 12,
    confirmed: 9,
    laggards: ["agent of node-agent", "proxy/stock", "proxy/mail"],
  },
  held: { B: 3, A: 5 },
  left: { count: 20, seconds: 12 },
  requests: { sent: 1_234, failed: 0 },
  handshakes: { made: 2_468, failed: 0 },
  pairs: { "1/1": 56, "2/1": 12, "1/2": 9 },
};

test("says who is waited for, and who holds what", () => {
  const lines = boardLines(view, painter(false)).join("\n");
  assert.match(lines, /A active {3}B prepared/);
  assert.match(
    lines,
    /9\/12 hold the present bundle; waits for agent of node-agent, proxy\/stock and 1 more/,
  );
  assert.match(lines, /5 of root A, 3 of root B; 20 old ones expire within 12 s/);
  assert.match(lines, /A\/A 56, A\/B 9, B\/A 12/);
  assert.match(boardLine(view), /^1234 requests, 0 failed; 9\/12/);
});

test("says so when the server does not answer", () => {
  const lines = boardLines({ ...view, verifiers: undefined }, painter(false));
  assert.match(lines.join("\n"), /no answer from the server/);
});

test("has colours only for who can see them", () => {
  const [plain, coloured] = [false, true].map((colour) => boardLines(view, painter(colour)));
  assert.notDeepEqual(coloured, plain);
  assert.deepEqual(coloured?.map(stripVTControlCharacters), plain);
  for (const line of plain ?? []) assert(line.length <= 100, line);
});
