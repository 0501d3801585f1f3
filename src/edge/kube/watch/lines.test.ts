import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { KubeError } from "../kube-error.ts";
import { linesOf } from "./lines.ts";

async function* streamOf(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

test("gives each line once and whole, wherever the stream is cut", async () => {
  const text = fc.string({ unit: "grapheme" }).map((line) => `${line.replaceAll("\n", "")}x`);
  await fc.assert(
    fc.asyncProperty(fc.array(text), fc.array(fc.nat(200)), async (lines, cuts) => {
      const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
      const ends = [...cuts.filter((cut) => cut < bytes.length), bytes.length].toSorted(
        (a, b) => a - b,
      );
      const chunks = ends.map((end, at) => bytes.subarray(ends[at - 1] ?? 0, end));
      const found: string[] = [];
      for await (const some of linesOf(streamOf(chunks), 1_000_000)) found.push(...some);
      assert.deepEqual(found, lines);
    }),
  );
});

test("gives all that came together at once, and nothing of a line that did not end", async () => {
  const batches: (readonly string[])[] = [];
  const chunks = ["a\nb\n\nc", "d\n", "e"].map((chunk) => Buffer.from(chunk));
  for await (const some of linesOf(streamOf(chunks), 100)) batches.push(some);
  assert.deepEqual(batches, [["a", "b"], ["cd"]]);
});

test("refuses a line that does not end", async () => {
  const chunks = Array.from({ length: 11 }, () => Buffer.alloc(10, "x"));
  await assert.rejects(
    async () => {
      for await (const some of linesOf(streamOf(chunks), 100)) assert.fail(some.join());
    },
    (error) => error instanceof KubeError && error.code === "kube-answer",
  );
});
