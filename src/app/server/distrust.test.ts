import assert from "node:assert/strict";
import { test } from "node:test";
import type { AuthorityRecord, RetiredAuthority } from "../../core/trust/trust-state.ts";
import { isDistrusted } from "./distrust.ts";

const authorities = [{ signerIds: ["aa", "bb"] }] as unknown as readonly AuthorityRecord[];
const retired = (compromised: boolean, confirmed: boolean): readonly RetiredAuthority[] => [
  { id: "cc", rootSha256: "", atMs: 1_000, compromised, confirmed, signerIds: ["cc"] },
];
const twoHoursMs = 7_200_000;

for (const [title, gone, authority, nowMs, expected] of [
  ["everybody is heard while nothing has leaked", [], "dd", 1_000, false],
  ["everybody is heard after a retirement", retired(false, false), "cc", 1_000, false],
  ["whoever is of a leaked authority is not heard", retired(true, false), "cc", 1_000, true],
  ["whoever is of an unknown one is not heard then", retired(true, false), "dd", 1_000, true],
  ["whoever is of none is not heard then", retired(true, false), "", 1_000, true],
  ["whoever is of one that signed before is heard", retired(true, false), "bb", 1_000, false],
  ["a connection is not heard that may be older", retired(true, true), "cc", twoHoursMs, true],
  ["a connection is newer in the end", retired(true, true), "cc", twoHoursMs + 1_000, false],
  ["nobody is heard before all have distrusted it", retired(true, false), "cc", 9e9, true],
] as const) {
  test(title, () => {
    assert.equal(isDistrusted({ authorities, retired: gone }, authority, nowMs), expected);
  });
}
