import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseSpeed } from "./unit.ts";

describe("parseSpeed", () => {
  const tables: [string, string][] = [
    [
      "OpenSSL 3.0",
      "version: 3.0.19\nbuilt on: Fri Apr  3 12:29:32 2026 UTC\noptions: bn(64,64)\n" +
        "                              sign    verify    sign/s verify/s\n" +
        " 256 bits ecdsa (nistp256)   0.0000s   0.0001s  40000.0  12500.0\n",
    ],
    [
      "a slow machine",
      "                              sign    verify    sign/s verify/s\n" +
        " 256 bits ecdsa (nistp256)   0.0100s   0.0100s    100.0    100.0\r\n",
    ],
  ];
  const expected = [105, 20_000];
  for (const [index, [title, output]] of tables.entries()) {
    it(`adds a signature and a verification from the table of ${title}`, () => {
      assert.equal(parseSpeed(output), expected[index]);
    });
  }

  for (const output of [
    "",
    "256 bits ecdsa (nistp384) 0.0s 0.0s 10.0 10.0",
    "(nistp256) 0s 0s 0 0",
  ]) {
    it(`refuses ${JSON.stringify(output)}`, () => {
      assert.throws(() => parseSpeed(output), {
        name: "UnitError",
        code: "unit-output-unexpected",
      });
    });
  }
});
