import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { retiredMax } from "./authority.ts";
import { parseTrustState } from "./trust-state-codec.ts";
import { TrustStateError } from "./trust-state.ts";

const isMalformed = (error: unknown): boolean =>
  error instanceof TrustStateError && error.code === "trust-state-malformed";

describe("a stored trust state is refused as malformed", () => {
  const authority = {
    id: "ab12",
    state: "active",
    sinceMs: 5,
    key: "store",
    auto: false,
    formerKeyIds: ["cd"],
    chain: ["AQ=="],
    root: "AgM=",
  };
  const gone = {
    id: "ff",
    rootSha256: "0a".repeat(32),
    atMs: 4,
    compromised: true,
    keyIds: ["ee"],
    confirmed: false,
  };
  const good = {
    version: 4,
    trustDomain: "cluster.local",
    bundleSequence: "3",
    rootsSequence: "2",
    authorities: [authority],
    retired: [gone],
    jwtAuthorities: [{ keyId: "k-1", state: "active", spki: "AQ==" }],
    otherRoots: ["BA=="],
    denyDigest: Buffer.alloc(32, 7).toString("base64"),
  };
  const second = { ...authority, id: "cd", state: "prepared", root: "AQ==" };

  it("unless all of it is right", () => {
    assert.equal(parseTrustState(7, JSON.stringify(good)).authorities.length, 1);
    const two = { ...good, authorities: [second, authority] };
    assert.equal(parseTrustState(7, JSON.stringify(two)).authorities.length, 2);
  });

  const withAuthority = (change: object): object => ({
    ...good,
    authorities: [{ ...authority, ...change }],
  });
  const withSecond = (change: object): object => ({
    ...good,
    authorities: [authority, { ...second, ...change }],
  });
  const withGone = (change: object): object => ({ ...good, retired: [{ ...gone, ...change }] });
  const table: readonly (readonly [string, unknown])[] = [
    ["null", null],
    ["a list", []],
    ["a number", 1],
    ["no version", { ...good, version: undefined }],
    ["a newer version", { ...good, version: 5 }],
    ["a version in text", { ...good, version: "4" }],
    ["no trust domain", { ...good, trustDomain: undefined }],
    ["an invalid trust domain", { ...good, trustDomain: "Cluster.Local" }],
    ["a trust domain that is no text", { ...good, trustDomain: ["cluster.local"] }],
    ["no sequence of its roots", { ...good, rootsSequence: undefined }],
    ["roots of a later bundle", { ...good, rootsSequence: "4" }],
    ["no sequence", { ...good, bundleSequence: undefined }],
    ["a sequence as a number", { ...good, bundleSequence: 3 }],
    ["an empty sequence", { ...good, bundleSequence: "" }],
    ["a sequence of zero", { ...good, bundleSequence: "0" }],
    ["a negative sequence", { ...good, bundleSequence: "-3" }],
    ["a sequence in hex", { ...good, bundleSequence: "0x3" }],
    ["a sequence beyond 64 bits", { ...good, bundleSequence: "9".repeat(20) }],
    ["no authorities", { ...good, authorities: undefined }],
    ["an empty list of authorities", { ...good, authorities: [] }],
    ["authorities by name", { ...good, authorities: { length: 0 } }],
    ["an authority that is null", { ...good, authorities: [null] }],
    ["an id with capitals", withAuthority({ id: "AB12" })],
    ["an id that is no text", withAuthority({ id: 12 })],
    ["an empty id", withAuthority({ id: "" })],
    ["an unknown state", withAuthority({ state: "trusted" })],
    ["an inherited state", withAuthority({ state: "constructor" })],
    ["a retired authority among those that are trusted", withSecond({ state: "retired" })],
    ["a prepared authority alone", withAuthority({ state: "prepared" })],
    ["a time in text", withAuthority({ sinceMs: "5" })],
    ["a time before 1970", withAuthority({ sinceMs: -1 })],
    ["a time between milliseconds", withAuthority({ sinceMs: 0.5 })],
    ["no chain", withAuthority({ chain: undefined })],
    ["a chain that is text", withAuthority({ chain: "AQ==" })],
    ["a chain of lists", withAuthority({ chain: [[1]] })],
    ["a key that is nowhere", withAuthority({ key: undefined })],
    ["no word on files", withAuthority({ auto: undefined })],
    ["another word on adoption", withAuthority({ adopted: "yes" })],
    ["adoption that is none", withAuthority({ adopted: false })],
    ["no list of former keys", withAuthority({ formerKeyIds: undefined })],
    ["a former key that is none", withAuthority({ formerKeyIds: ["AB"] })],
    ["too many former keys", withAuthority({ formerKeyIds: Array(5).fill("ab") })],
    ["two active authorities", withSecond({ state: "active" })],
    ["an authority twice", withSecond({ id: authority.id })],
    ["a root twice", withSecond({ root: authority.root })],
    [
      "three authorities",
      {
        ...good,
        authorities: [authority, second, { ...second, id: "ef", state: "retiring", root: "Aw==" }],
      },
    ],
    ["no list of what has been retired", { ...good, retired: undefined }],
    ["a retired one that is null", { ...good, retired: [null] }],
    [
      "too many retired ones",
      { ...good, retired: Array.from({ length: retiredMax + 1 }, () => gone) },
    ],
    ["a retired one without a digest", withGone({ rootSha256: undefined })],
    ["a digest that is cut", withGone({ rootSha256: "0a" })],
    ["a retired one without a time", withGone({ atMs: null })],
    ["no word on compromise", withGone({ compromised: 1 })],
    ["no list of what is distrusted with it", withGone({ keyIds: undefined })],
    ["too much that is distrusted with it", withGone({ keyIds: Array(9).fill("ab") })],
    ["no word on confirmation", withGone({ confirmed: undefined })],
    ["no JWT authorities", { ...good, jwtAuthorities: undefined }],
    ["a JWT authority that is null", { ...good, jwtAuthorities: [null] }],
    ["a JWT authority without key", { ...good, jwtAuthorities: [{ keyId: "a", state: "active" }] }],
    ["no other roots", { ...good, otherRoots: undefined }],
    ["no digest of the deny list", { ...good, denyDigest: undefined }],
    ["a digest that is too short", { ...good, denyDigest: "AQ==" }],
    ["no root", withAuthority({ root: undefined })],
    ["an empty root", withAuthority({ root: "" })],
    ["a root that is no base64", withAuthority({ root: "Ag!M=" })],
    ["a root in base64url without padding", withAuthority({ root: "AgM" })],
    ["a root as a list", withAuthority({ root: [2, 3] })],
    ["a certificate of an older version that is none", { ...good, version: 3 }],
    ["authorities of an older version that are none", { ...good, version: 1, authorities: [1] }],
  ];
  for (const [title, value] of table) {
    it(`with ${title}`, () => {
      assert.throws(() => parseTrustState(1, JSON.stringify(value)), isMalformed);
    });
  }

  it("when it is cut anywhere", () => {
    const document = JSON.stringify(good);
    for (let length = 0; length < document.length; length++) {
      assert.throws(() => parseTrustState(1, document.slice(0, length)), isMalformed);
    }
  });
});
