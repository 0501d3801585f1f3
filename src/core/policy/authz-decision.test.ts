import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { TrustDomain } from "../spiffe/id.ts";
import { decideAuthz, type AuthzRefusal } from "./authz-decision.ts";
import type { ServerMode } from "./server-mode.ts";

const trustDomain = TrustDomain.parse("td.test");
const modes: readonly ServerMode[] = ["strict", "permissive", "disable"];

/** Who calls, and what happens to him in strict and in permissive; disable takes everybody. */
const callers: readonly (readonly [string, AuthzRefusal | "allow", AuthzRefusal | "allow"])[] = [
  ["spiffe://td.test/ns/shop/sa/client", "allow", "allow"],
  ["", "no-identity", "allow"],
  ["spiffe://other.test/ns/shop/sa/client", "foreign-identity", "foreign-identity"],
  ["spiffe://td.test.other/ns/shop/sa/client", "foreign-identity", "foreign-identity"],
  ["spiffe://td.test/portcullis/canary", "foreign-identity", "foreign-identity"],
  ["spiffe://td.test/ns/", "foreign-identity", "foreign-identity"],
  ["spiffe://td.test/ns/../portcullis/canary", "foreign-identity", "foreign-identity"],
  ["spiffe://td.test", "foreign-identity", "foreign-identity"],
  ["SPIFFE://td.test/ns/shop/sa/client", "foreign-identity", "foreign-identity"],
  ["https://td.test/ns/shop", "foreign-identity", "allow"],
  ["client.test", "foreign-identity", "allow"],
  ["CN=client", "foreign-identity", "allow"],
];

for (const [principal, strict, permissive] of callers) {
  for (const mode of modes) {
    const want = { strict, permissive, disable: "allow" }[mode];
    test(`answers ${want} to ${principal || "nobody"} where the port is ${mode}`, () => {
      const question = { port: 80, principal };
      const all = decideAuthz({ other: mode, ports: new Map() }, question, trustDomain);
      assert.equal(all.kind === "allow" ? "allow" : all.reason, want);
      const other = mode === "strict" ? "disable" : "strict";
      const ports = new Map([[80, mode]]);
      assert.deepEqual(decideAuthz({ other, ports }, question, trustDomain), all);
    });
  }
}

test("lets nobody in before there is a policy", () => {
  const question = { port: 80, principal: "spiffe://td.test/ns/shop/sa/client" };
  const decision = decideAuthz(undefined, question, trustDomain);
  assert.deepEqual(decision, { kind: "deny", reason: "no-policy" });
});

test("lets in whoever strict lets in also where the port is wider", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.constantFrom(...callers.map(([principal]) => principal))),
      fc.integer({ min: 1, max: 65_535 }),
      (principal, port) => {
        const kinds = modes.map(
          (other) =>
            decideAuthz({ other, ports: new Map() }, { port, principal }, trustDomain).kind,
        );
        const allowed = kinds.map((kind) => kind === "allow");
        assert.deepEqual(
          allowed,
          allowed.toSorted((a, b) => Number(a) - Number(b)),
        );
      },
    ),
  );
});
