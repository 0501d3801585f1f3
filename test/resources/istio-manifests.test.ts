/** Istio's own cases of what is valid. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

import { parseManifests } from "../../src/edge/resources/parse-manifests.ts";

interface Case {
  readonly name: string;
  readonly kind: string;
  /** null: none is written. */
  readonly spec: unknown;
  readonly istio: "valid" | "invalid";
  readonly ours?: "valid" | "invalid";
  readonly why?: string;
  readonly path?: string;
  readonly warns?: boolean;
}

const file = new URL("../vectors/istio/manifests.json", import.meta.url);
const { cases } = JSON.parse(readFileSync(file, "utf8")) as { readonly cases: readonly Case[] };

for (const [kind, ofKind] of Map.groupBy(cases, (each) => each.kind)) {
  describe(kind, () => {
    for (const { name, spec, istio, ours = istio, path, warns = false } of ofKind) {
      test(`${ours === "valid" ? "takes" : "refuses"} ${name}`, () => {
        const group = kind === "PeerAuthentication" ? "security" : "networking";
        const text = JSON.stringify({
          apiVersion: `${group}.istio.io/v1`,
          kind,
          metadata: { name: "x" },
          ...(spec !== null && { spec }),
        });
        const { objects, problems } = parseManifests(text, "x.json");
        const errors = problems.filter(({ severity }) => severity === "error");
        assert.equal(objects.length, ours === "valid" ? 1 : 0, JSON.stringify(problems));
        assert.equal(problems.length > errors.length, warns);
        if (path !== undefined)
          assert(errors.map((each) => each.path).includes(path), JSON.stringify(errors));
      });
    }
  });
}

test("differs from Istio only where it says why", () => {
  const others = cases.filter(({ istio, ours }) => ours !== undefined && ours !== istio);
  assert.deepEqual(
    others.filter(({ why }) => why === undefined),
    [],
  );
});
