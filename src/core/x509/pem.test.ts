import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { encodePem, parsePem, parseSinglePem, PemError } from "./pem.ts";
import type { PemErrorCode } from "./pem.ts";

const CSR = "CERTIFICATE REQUEST";
const contents = Uint8Array.from({ length: 100 }, (_, index) => index);
const block = encodePem(contents, CSR);
const bundle = { blocksMax: 3 };
const root = (byte: number): string => encodePem(Uint8Array.of(byte), "CERTIFICATE");

describe("encodePem", () => {
  it("breaks lines at 64 characters and ends with a line break (RFC 7468 2)", () => {
    const lines = block.split("\n");
    assert.equal(lines[0], "-----BEGIN CERTIFICATE REQUEST-----");
    assert.deepEqual(
      lines.slice(1, -2).map((line) => line.length),
      [64, 64, 8],
    );
    assert.equal(lines.at(-2), "-----END CERTIFICATE REQUEST-----");
    assert.equal(lines.at(-1), "");
  });

  it("is undone by both readers, for every length", () => {
    for (let length = 1; length <= 200; length++) {
      const der = Uint8Array.from({ length }, (_, index) => 255 - index);
      const text = encodePem(der, CSR);
      assert.deepEqual(parseSinglePem(text, CSR), der);
      assert.deepEqual(parsePem(text, CSR, bundle), [der]);
    }
  });
});

const endWith = (word: string): string => block.replace(/REQUEST-----\n$/, `${word}-----\n`);

describe("one block", () => {
  for (const [what, text] of [
    ["without a last line break", block.trimEnd()],
    ["with CRLF", block.replaceAll("\n", "\r\n")],
    ["with white space around it", `\n \t${block}\r\n\n`],
    ["in lines of 76 characters", encodeLines(76)],
    ["in a single line", encodeLines(1000)],
    ["with the legacy label (RFC 7468 7)", block.replaceAll(CSR, `NEW ${CSR}`)],
  ] as const) {
    it(`is read ${what}`, () => {
      assert.deepEqual(parseSinglePem(text, CSR), contents);
    });
  }

  const rejected: readonly (readonly [string, string, PemErrorCode])[] = [
    ["nothing", "", "pem-block-missing"],
    ["text without a block", "hello", "pem-block-missing"],
    ["leading text", `hello\n${block}`, "pem-surrounding-text"],
    ["trailing text", `${block}hello`, "pem-surrounding-text"],
    ["two blocks", block + block, "pem-too-many-blocks"],
    ["another label", block.replaceAll(CSR, "CERTIFICATE"), "pem-label-unexpected"],
    ["a label in lower case", block.replaceAll(CSR, CSR.toLowerCase()), "pem-label-unexpected"],
    ["a label with a space", block.replace(`${CSR}-`, `${CSR} -`), "pem-label-unexpected"],
    ["labels that differ", block.replace(`END ${CSR}`, "END CERTIFICATE"), "pem-block-damaged"],
    [
      "a legacy label at one end only",
      block.replace(`BEGIN ${CSR}`, `BEGIN NEW ${CSR}`),
      "pem-block-damaged",
    ],
    ["no end", block.slice(0, 150), "pem-block-damaged"],
    ["another label of the same length at its end", endWith("REQUESX"), "pem-block-damaged"],
    ["no end of the first line", "-----BEGIN CERTIFICATE REQUEST", "pem-block-damaged"],
    ["contents on the first line", block.replace("-----\n", "-----"), "pem-block-damaged"],
    ["contents on the last line", block.replace("\n-----END", "-----END"), "pem-block-damaged"],
    ["no contents", emptyBlock(""), "pem-base64-invalid"],
    ["RFC 1421 headers", block.replace("\n", "\nProc-Type: 4,x\n\n"), "pem-base64-invalid"],
    ["a space in a line", block.replace("AAEC", "AA EC"), "pem-base64-invalid"],
    ["a NUL in a line", block.replace("AAEC", "AA\0EC"), "pem-base64-invalid"],
    ["a letter beyond ASCII", block.replace("AAEC", "AA\u00e9C"), "pem-base64-invalid"],
    ["a carriage return alone", block.replace("AAEC", "AA\rEC"), "pem-base64-invalid"],
    ["base64url", block.replace("AAEC", "A-_C"), "pem-base64-invalid"],
    ["missing padding", emptyBlock("QQ"), "pem-base64-invalid"],
    ["too much padding", emptyBlock("QUJD===="), "pem-base64-invalid"],
    ["padding in the middle", emptyBlock("QQ==QQ=="), "pem-base64-invalid"],
    ["stray bits behind the last byte", emptyBlock("QR=="), "pem-base64-invalid"],
  ];
  for (const [what, text, code] of rejected) {
    it(`is rejected for ${what}`, () => {
      assert.throws(() => parseSinglePem(text, CSR), { name: "PemError", code });
    });
  }

  it("never echoes more than a line of a label that somebody made up", () => {
    const text = `-----BEGIN ${"X".repeat(10_000)}-----\nQQ==\n-----END X-----\n`;
    assert.throws(
      () => parseSinglePem(text, CSR),
      (error) => error instanceof PemError && error.message.length < 200,
    );
  });
});

describe("a bundle", () => {
  it("is read in its order, past the text between its blocks", () => {
    const text = `# first\n${root(1)}\n# second\r\n${root(2)}${root(3)}# end`;
    assert.deepEqual(parsePem(text, "CERTIFICATE", bundle), [
      Uint8Array.of(1),
      Uint8Array.of(2),
      Uint8Array.of(3),
    ]);
  });

  const rejected: readonly (readonly [string, string, PemErrorCode])[] = [
    ["no block", "# nothing here\n", "pem-block-missing"],
    ["a block too many", root(1).repeat(4), "pem-too-many-blocks"],
    ["a private key", root(1) + encodePem(contents, "PRIVATE KEY"), "pem-label-unexpected"],
    ["a block that lost a dash", `${root(1)}-${root(2).slice(2)}`, "pem-block-damaged"],
    ["a block that lost its end", root(1).slice(0, 40) + root(2), "pem-block-damaged"],
    ["a block that lost its beginning", root(1) + root(2).slice(30), "pem-block-damaged"],
    ["a block that does not start its line", `${root(1)}x${root(2)}`, "pem-block-damaged"],
    ["text behind an end", `${root(1).trimEnd()}x\n${root(2)}`, "pem-block-damaged"],
    ["garbage in a later block", root(1) + root(2).replace("Ag==", "*g=="), "pem-base64-invalid"],
  ];
  for (const [what, text, code] of rejected) {
    it(`is rejected for ${what}`, () => {
      assert.throws(() => parsePem(text, "CERTIFICATE", bundle), { name: "PemError", code });
    });
  }
});

describe("any damage to a block", () => {
  it("leaves the contents unchanged, changes them as base64 would, or is a PemError", () => {
    const position = fc.nat({ max: block.length - 1 });
    fc.assert(
      fc.property(position, fc.nat({ max: 2 }), fc.string({ maxLength: 2 }), (at, cut, text) => {
        const damaged = block.slice(0, at) + text + block.slice(at + cut);
        try {
          const decoded = parseSinglePem(damaged, CSR);
          const base64 = damaged.split("-----")[2]?.replaceAll(/[\r\n]/g, "");
          assert.equal(Buffer.from(decoded).toString("base64"), base64);
        } catch (error) {
          assert.ok(error instanceof PemError);
        }
      }),
      { numRuns: 5000 },
    );
  });
});

function encodeLines(length: number): string {
  const base64 = Buffer.from(contents).toString("base64");
  const lines = base64.match(new RegExp(`.{1,${length}}`, "g")) ?? [];
  return emptyBlock(lines.join("\n"));
}

function emptyBlock(body: string): string {
  return `-----BEGIN ${CSR}-----\n${body}\n-----END ${CSR}-----\n`;
}
