import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { DenyList } from "../deny/deny-list.ts";
import { TrustDomain } from "../spiffe/id.ts";
import { createRoot } from "../x509/root.ts";
import {
  activeAuthority,
  bundleOf,
  encodeTrustState,
  initialTrustState,
  parseTrustState,
  TrustStateError,
  withActiveAuthority,
  withDenyList,
  withJwtAuthority,
  type AuthorityRecord,
  type AuthorityState,
  type JwtAuthorityRecord,
  type TrustState,
} from "./trust-state.ts";

const trustDomain = TrustDomain.parse("cluster.local");
const der = fc.uint8Array({ minLength: 1, maxLength: 40 });
const passive = fc.constantFrom<AuthorityState>("prepared", "retiring", "retired");

const authority = (state: fc.Arbitrary<AuthorityState>): fc.Arbitrary<AuthorityRecord> =>
  fc.record({
    id: fc
      .uint8Array({ minLength: 20, maxLength: 20 })
      .map((id) => Buffer.from(id).toString("hex")),
    state,
    chain: fc.array(der, { maxLength: 3 }),
    root: der,
    key: fc.constantFrom("store", "external"),
  });

const jwtAuthority: fc.Arbitrary<JwtAuthorityRecord> = fc.record({
  keyId: fc.stringMatching(/^[\w-]{1,43}$/),
  state: fc.constantFrom<AuthorityState>("active", "retiring", "retired"),
  spki: der,
});

const trustState: fc.Arbitrary<TrustState> = fc.record({
  epoch: fc.nat(),
  trustDomain: fc.constantFrom(trustDomain, TrustDomain.parse("a.b-c_d")),
  bundleSequence: fc.bigInt({ min: 1n, max: 10n ** 18n }),
  jwtAuthorities: fc.array(jwtAuthority, { maxLength: 3 }),
  otherRoots: fc.array(der, { maxLength: 3 }),
  denyDigest: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  authorities: fc
    .tuple(authority(fc.constant("active")), fc.array(authority(passive), { maxLength: 5 }))
    .chain(([active, others]) =>
      fc.shuffledSubarray([active, ...others], { minLength: others.length + 1 }),
    ),
});

const plain = (state: TrustState): unknown => JSON.parse(encodeTrustState(state));
const isCode =
  (code: string) =>
  (error: unknown): boolean =>
    error instanceof TrustStateError && error.code === code;

describe("a trust state", () => {
  it("is read back as it was written", () => {
    fc.assert(
      fc.property(trustState, (state) => {
        const again = parseTrustState(state.epoch, encodeTrustState(state));
        assert.equal(again.epoch, state.epoch);
        assert.equal(again.bundleSequence, state.bundleSequence);
        assert.ok(again.trustDomain.equals(state.trustDomain));
        assert.deepEqual(plain(again), plain(state));
        assert.ok(Object.isFrozen(again) && Object.isFrozen(again.authorities));
      }),
    );
  });

  it("has the active authority's root in its bundle, and no retired one's alone", () => {
    fc.assert(
      fc.property(trustState, (state) => {
        const { roots, sequence } = bundleOf(state);
        const has = (root: Uint8Array): boolean =>
          roots.some((each) => Buffer.compare(each, root) === 0);
        assert.ok(has(activeAuthority(state).root));
        assert.equal(sequence, state.bundleSequence);
        const trusted = [
          ...state.authorities.filter(({ state }) => state !== "retired").map(({ root }) => root),
          ...state.otherRoots,
        ];
        assert.ok(roots.every((root) => trusted.some((each) => Buffer.compare(each, root) === 0)));
        assert.ok(trusted.every(has));
      }),
    );
  });

  it("starts with one authority, at epoch and sequence 1", () => {
    const only = {
      id: "00",
      state: "active",
      chain: [],
      root: Uint8Array.of(1),
      key: "store",
    } as const;
    const state = initialTrustState({ trustDomain, authority: only });
    assert.deepEqual([state.epoch, state.bundleSequence], [1, 1n]);
    assert.equal(activeAuthority(state), only);
    assert.deepEqual(bundleOf(state).roots, [Uint8Array.of(1)]);
  });

  it("without an active authority says so", () => {
    const only = {
      id: "00",
      state: "prepared",
      chain: [],
      root: Uint8Array.of(1),
      key: "store",
    } as const;
    assert.throws(
      () => activeAuthority(initialTrustState({ trustDomain, authority: only })),
      isCode("trust-state-no-active-authority"),
    );
  });

  it("of ten authorities fits into 16 KiB", async () => {
    for (const keyType of ["p256", "p384", "rsa3072"] as const) {
      const serial = new Uint8Array(16);
      const { certificate: root } = await createRoot({
        // The longest name that there is goes into every root.
        trustDomain: keyType === "rsa3072" ? trustDomain.name : "d".repeat(64),
        keyType,
        serial,
        nowMs: Date.UTC(2026, 10, 24),
      });
      const authorities = Array.from({ length: 10 }, (_, index) => ({
        id: index.toString(16).padStart(40, "0"),
        state: index === 0 ? ("active" as const) : ("retiring" as const),
        chain: [],
        root,
        key: "store" as const,
      }));
      const rest = { jwtAuthorities: [], otherRoots: [], denyDigest: new Uint8Array(32) };
      const state = { epoch: 1, trustDomain, bundleSequence: 1n, authorities, ...rest };
      const { length } = encodeTrustState(state);
      assert.ok(length <= 16_384, `${keyType}: ${length}`);
    }
  });
});

describe("a trust state that changes", () => {
  it("moves its epoch and its sequence for a JWT authority, which is then in the bundle", () => {
    fc.assert(
      fc.property(trustState, jwtAuthority, (state, record) => {
        const added: JwtAuthorityRecord = { ...record, keyId: "new.key", state: "active" };
        const next = withJwtAuthority(state, added);
        assert.deepEqual(
          [next.epoch, next.bundleSequence],
          [state.epoch + 1, state.bundleSequence + 1n],
        );
        assert.ok(bundleOf(next).jwtKeys.some(({ keyId }) => keyId === "new.key"));
      }),
    );
  });

  it("keeps its bundle when another authority under the same root becomes active", () => {
    fc.assert(
      fc.property(trustState, (state) => {
        const before = activeAuthority(state);
        const next = withActiveAuthority(state, { ...before, id: "fe" });
        assert.equal(activeAuthority(next).id, "fe");
        assert.equal(next.epoch, state.epoch + 1);
        assert.deepEqual(bundleOf(next), bundleOf(state));
      }),
    );
  });

  it("keeps its bundle when somebody is denied, and says who by a digest", () => {
    const list = DenyList.empty.add({
      target: { kind: "serial", serialHex: "ab".repeat(16) },
      reason: "stolen",
      operator: "alice",
      createdAtMs: 1,
    });
    fc.assert(
      fc.property(trustState, (state) => {
        const next = withDenyList(state, list);
        assert.equal(next.epoch, state.epoch + 1);
        assert.deepEqual(next.denyDigest, list.digest());
        assert.deepEqual(bundleOf(next), bundleOf(state));
      }),
    );
  });

  it("is not written when it has become too large", () => {
    const root = new Uint8Array(5_000);
    const only = { id: "00", state: "active", chain: [root, root], root, key: "store" } as const;
    assert.throws(
      () => encodeTrustState(initialTrustState({ trustDomain, authority: only })),
      isCode("trust-state-too-large"),
    );
  });
});

describe("a stored trust state is refused as malformed", () => {
  const good = {
    version: 3,
    trustDomain: "cluster.local",
    bundleSequence: "3",
    authorities: [{ id: "ab12", state: "active", key: "store", chain: ["AQ=="], root: "AgM=" }],
    jwtAuthorities: [{ keyId: "k-1", state: "active", spki: "AQ==" }],
    otherRoots: ["BA=="],
    denyDigest: Buffer.alloc(32, 7).toString("base64"),
  };
  const [goodAuthority] = good.authorities;

  it("unless all of it is right", () => {
    assert.equal(parseTrustState(7, JSON.stringify(good)).authorities.length, 1);
  });

  const withAuthority = (change: object): object => ({
    ...good,
    authorities: [{ ...goodAuthority, ...change }],
  });
  const table: readonly (readonly [string, unknown])[] = [
    ["null", null],
    ["a list", []],
    ["a number", 1],
    ["no version", { ...good, version: undefined }],
    ["a newer version", { ...good, version: 4 }],
    ["a version in text", { ...good, version: "3" }],
    ["no trust domain", { ...good, trustDomain: undefined }],
    ["an invalid trust domain", { ...good, trustDomain: "Cluster.Local" }],
    ["a trust domain that is no text", { ...good, trustDomain: ["cluster.local"] }],
    ["no sequence", { ...good, bundleSequence: undefined }],
    ["a sequence as a number", { ...good, bundleSequence: 3 }],
    ["an empty sequence", { ...good, bundleSequence: "" }],
    ["a sequence of zero", { ...good, bundleSequence: "0" }],
    ["a negative sequence", { ...good, bundleSequence: "-3" }],
    ["a sequence in hex", { ...good, bundleSequence: "0x3" }],
    ["a sequence beyond 64 bits", { ...good, bundleSequence: "9".repeat(20) }],
    ["no authorities", { ...good, authorities: undefined }],
    ["authorities by name", { ...good, authorities: { length: 0 } }],
    ["an authority that is null", { ...good, authorities: [null] }],
    ["an id with capitals", withAuthority({ id: "AB12" })],
    ["an id that is no text", withAuthority({ id: 12 })],
    ["an empty id", withAuthority({ id: "" })],
    ["an unknown state", withAuthority({ state: "trusted" })],
    ["an inherited state", withAuthority({ state: "constructor" })],
    ["no chain", withAuthority({ chain: undefined })],
    ["a chain that is text", withAuthority({ chain: "AQ==" })],
    ["a chain of lists", withAuthority({ chain: [[1]] })],
    ["a key that is nowhere", withAuthority({ key: undefined })],
    ["no JWT authorities", { ...good, jwtAuthorities: undefined }],
    ["a JWT authority without key", { ...good, jwtAuthorities: [{ keyId: "a", state: "active" }] }],
    ["no other roots", { ...good, otherRoots: undefined }],
    ["no digest of the deny list", { ...good, denyDigest: undefined }],
    ["a digest that is too short", { ...good, denyDigest: "AQ==" }],
    ["no root", withAuthority({ root: undefined })],
    ["an empty root", withAuthority({ root: "" })],
    ["a root that is no base64", withAuthority({ root: "Ag!M=" })],
    ["a root in base64url without padding", withAuthority({ root: "AgM" })],
    ["a root as a list", withAuthority({ root: [2, 3] })],
    [
      "two active authorities",
      { ...good, authorities: [goodAuthority, { ...goodAuthority, id: "cd" }] },
    ],
    [
      "an authority twice",
      { ...good, authorities: [goodAuthority, { ...goodAuthority, state: "retired" }] },
    ],
  ];
  for (const [title, value] of table) {
    it(`with ${title}`, () => {
      assert.throws(
        () => parseTrustState(1, JSON.stringify(value)),
        isCode("trust-state-malformed"),
      );
    });
  }

  it("but not one that version 2 wrote: nobody was denied then", () => {
    const { denyDigest, ...old } = good;
    const state = parseTrustState(1, JSON.stringify({ ...old, version: 2 }));
    assert.deepEqual(Buffer.from(state.denyDigest), DenyList.empty.digest());
    assert.notEqual(denyDigest, Buffer.from(state.denyDigest).toString("base64"));
    assert.equal(state.otherRoots.length, 1);
  });

  it("but not one that version 1 wrote", () => {
    const { version: _, jwtAuthorities, otherRoots, denyDigest, ...old } = good;
    assert.ok(jwtAuthorities.length + otherRoots.length + denyDigest.length > 0);
    const authorities = old.authorities.map(({ id, state, chain, root }) => {
      return { id, state, chain, root };
    });
    const state = parseTrustState(1, JSON.stringify({ ...old, version: 1, authorities }));
    assert.deepEqual([state.jwtAuthorities, state.otherRoots], [[], []]);
    assert.deepEqual(
      state.authorities.map(({ key }) => key),
      ["store"],
    );
  });

  it("when it is cut anywhere", () => {
    const document = JSON.stringify(good);
    for (let length = 0; length < document.length; length++) {
      assert.throws(
        () => parseTrustState(1, document.slice(0, length)),
        isCode("trust-state-malformed"),
      );
    }
  });
});
