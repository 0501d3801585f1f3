import assert from "node:assert/strict";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";

import { formatTable } from "./table.ts";

const COLUMNS = [
  { header: "Name" },
  { header: "Count", align: "right" },
  { header: "State" },
] as const;

test("aligns columns, and leaves no space at the end of a line", () => {
  const rows = [
    ["a", "1", "ok"],
    ["longer-name", "12345678", ""],
  ];
  const want = [
    "NAME             COUNT   STATE",
    "a                    1   ok",
    "longer-name   12345678   -",
    "",
  ];
  assert.equal(formatTable(COLUMNS, rows, { colour: false }), want.join("\n"));
});

test("shows the header alone when there are no rows, and a dash for a missing cell", () => {
  assert.equal(formatTable(COLUMNS, [], { colour: false }), "NAME   COUNT   STATE\n");
  assert.match(formatTable(COLUMNS, [["a"]], { colour: false }), /^a\s+-\s+-$/m);
});

test("colours only when the reader can see it, and aligns the same", () => {
  const rows = [[{ text: "a", colour: "red" }, "1", "ok"]] as const;
  const plain = formatTable(COLUMNS, rows, { colour: false });
  const coloured = formatTable(COLUMNS, rows, { colour: true });
  assert.equal(stripVTControlCharacters(plain), plain);
  assert.equal(stripVTControlCharacters(coloured), plain);
  assert.notEqual(coloured, plain);
});

test("never sends a control character that a cell brought", () => {
  const rows = [["a\u001B[2J\nb", "\u0007", "\u202E"]];
  const text = formatTable(COLUMNS, rows, { colour: false });
  assert.doesNotMatch(text.replaceAll("\n", ""), /[\p{Cc}\p{Cf}]/u);
  assert.equal(text.split("\n").length, 3);
});

test("a terminal's width cuts the widest texts, and neither numbers nor what is short", () => {
  const columns = [
    { header: "caller" },
    { header: "count", align: "right" },
    { header: "says" },
  ] as const;
  const rows = [["payments/a-workload-with-a-long-name", "1,000", "curl"]];
  const draw = (width: number | undefined) => formatTable(columns, rows, { colour: false, width });
  assert.equal(
    draw(40),
    "CALLER                      COUNT   SAYS\npayments/a-wo…a-long-name   1,000   curl\n",
  );
  assert.equal(draw(80), draw(undefined));
  for (const width of [1, 20, 30, 50]) {
    const widest = Math.max(
      ...draw(width)
        .split("\n")
        .map((line) => line.length),
    );
    assert.ok(
      widest <= Math.max(width, "payments/…   1,000   curl".length + 1),
      `${width}: ${widest}`,
    );
  }
});
