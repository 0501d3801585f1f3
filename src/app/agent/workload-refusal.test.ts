import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { decideRefusal } from "./workload-refusal.ts";

const refusals: readonly (readonly [string, number, number | undefined, string])[] = [
  ["ends one that holds nothing", status.UNAUTHENTICATED, undefined, "end"],
  ["ends one that may nothing", status.PERMISSION_DENIED, undefined, "end"],
  ["takes nothing away that is valid", status.UNAUTHENTICATED, 1_001, "keep"],
  ["takes nothing away that is valid, denied", status.PERMISSION_DENIED, 1_001, "keep"],
  ["ends one whose certificate or token is over", status.UNAUTHENTICATED, 1_000, "end"],
  ["of no judgement is tried again", status.UNAVAILABLE, undefined, "retry"],
  ["of no judgement is tried again, held or not", status.UNAVAILABLE, 1_001, "retry"],
];

for (const [what, code, validUntilMs, want] of refusals) {
  test(`a refusal ${what}`, () => assert.equal(decideRefusal({ code }, validUntilMs, 1_000), want));
}
