/** docs/flips.md names every word that a script may meet. */

import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { flipValue } from "../../src/app/cli/mtls-flip-value.ts";
import { callerDeeds, silentDeeds } from "../../src/app/cli/mtls-verdict-deeds.ts";
import { verdictValue } from "../../src/app/cli/mtls-verdict-value.ts";
import { FlipStatusSchema, MtlsVerdictSchema } from "../../src/gen/portcullis/admin/v1/admin_pb.ts";
import { flip, silent, unsafe, workloads } from "./flip-rig.ts";

const root = join(import.meta.dirname, "../..");
const read = (file: string): string => readFileSync(join(root, file), "utf8");
const page = read("docs/flips.md");

function assertNamed(words: Iterable<string>): void {
  assert.deepEqual(
    [...words].filter((word) => !page.includes(`\`${word}\``)),
    [],
  );
}

/** Also of what is in it. */
function keysOf(value: unknown): readonly string[] {
  if (typeof value !== "object" || value === null) return [];
  const own = Array.isArray(value) ? [] : Object.keys(value);
  return [...own, ...Object.values(value).flatMap(keysOf)];
}

describe("docs/flips.md", () => {
  it("names each holder and each reason of silence", () => {
    assertNamed([...callerDeeds.keys(), "configuration", ...silentDeeds.keys()]);
  });

  it("names each field of a verdict and of a flip", () => {
    const verdict = verdictValue(
      create(MtlsVerdictSchema, { ...unsafe, silent: [silent("a/b", "gap")] }),
    );
    const its = flipValue(
      create(
        FlipStatusSchema,
        flip("stage", { workloads: workloads({ a: "pushed" }), waits: [{}] }),
      ),
    );
    const known = new Set(["kind", "namespace", "rule"]);
    assertNamed([...keysOf(verdict), ...keysOf(its)].filter((key) => !known.has(key)));
  });

  it("names each event", () => {
    const sources = globSync("src/app/cli/mtls-{flip,check}-*.ts", { cwd: root })
      .map(read)
      .join("\n");
    const events = sources.matchAll(/(?:\b(?:note|event|say)\(|#progress\.note\()\s*"([a-z-]+)"/g);
    const names = new Set(Array.from(events, ([, name = ""]) => name));
    assert.ok(names.size > 5, [...names].join(" "));
    assertNamed(names);
  });

  it("names each refusal, and what to do", () => {
    const core = read("src/core/flip/flip-error.ts");
    const server = read("src/app/server/flips/flip-refusals.ts");
    const unions = [core, server].map((source) => [
      ...source.matchAll(/^export type \w+Code =\n([^;]*);/gm),
    ]);
    const codes = unions
      .flat()
      .flatMap(([, union = ""]) =>
        [...union.matchAll(/"([a-z-]+)"/g)].map(([, code = ""]) => code),
      );
    assert.ok(codes.length > 20, codes.join(" "));
    // Of the store, and of words that nobody can read: these are errors.
    const errors = new Set(["flip-malformed", "target-invalid", "stages-invalid"]);
    const ofVerb = ["waivers-full", "waiver-nobody", "confirmation-missing", "answer-empty"];
    assertNamed([...codes, ...ofVerb].filter((code) => !errors.has(code)));
  });

  it("has at most 250 lines", () => assert.ok(page.split("\n").length <= 251));
});
