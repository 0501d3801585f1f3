import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { retiredMax, retiredSignerIdsMax, signerIdsMax } from "./authority.ts";
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
    signerIds: ["ab12", "ab13"],
    auto: false,
    chain: ["AQ=="],
    root: "AgM=",
  };
  const gone = {
    id: "ff",
    rootSha256: "0a".repeat(32),
    atMs: 4,
    compromised: true,
    signerIds: ["ff"],
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
  const second = { ...authority, id: "cd", state: "prepared", signerIds: ["cd"], root: "AQ==" };

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
  const ids = (count: number): readonly string[] =>
    Array.from({ length: count }, (_, index) => (index + 16).toString(16));
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
    ["no signers", withAuthority({ signerIds: undefined })],
    ["an empty list of signers", withAuthority({ signerIds: [] })],
    ["too many signers", withAuthority({ signerIds: ids(signerIdsMax + 1) })],
    ["a signer twice", withAuthority({ signerIds: ["ab", "ab"] })],
    ["a signer that is no key ID", withAuthority({ signerIds: ["xy"] })],
    ["no word on files", withAuthority({ auto: undefined })],
    ["two active authorities", withSecond({ state: "active" })],
    ["an authority twice", withSecond({ id: authority.id })],
    ["a root twice", withSecond({ root: authority.root })],
    ["a signer of both", withSecond({ signerIds: ["ab13"] })],
    [
      "three authorities",
      {
        ...good,
        authorities: [
          authority,
          second,
          { ...second, id: "ef", state: "retiring", signerIds: ["ef"], root: "Aw==" },
        ],
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
    ["no word on confirmation", withGone({ confirmed: undefined })],
    ["too many signers of a retired one", withGone({ signerIds: ids(retiredSignerIdsMax + 1) })],
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
