import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { authorityOf, firstTrust } from "../../../test/support/trust-states.ts";
import { DenyList } from "../deny/deny-list.ts";
import { TrustDomain } from "../spiffe/id.ts";
import { parseCertificate } from "../x509/certificate.ts";
import { keyIdOf } from "../x509/signer.ts";
import { compromisedKeysMax, formerKeysMax, retiredMax } from "./authority.ts";
import { documentLengthOf, encodeTrustState, parseTrustState } from "./trust-state-codec.ts";
import { TrustStateError, type AuthorityRecord, type TrustState } from "./trust-state.ts";

const vectors = join(import.meta.dirname, "../../../test/corpus/trust-state");
const vector = (version: number): string =>
  readFileSync(join(vectors, `version-${version}`), "utf8");
const isCode =
  (code: string) =>
  (error: unknown): boolean =>
    error instanceof TrustStateError && error.code === code;

const der = fc.uint8Array({ minLength: 1, maxLength: 40 });
const keyId = fc
  .uint8Array({ minLength: 1, maxLength: 32 })
  .map((id) => Buffer.from(id).toString("hex"));
const timeMs = fc.nat({ max: Number.MAX_SAFE_INTEGER });

const authorities: fc.Arbitrary<readonly AuthorityRecord[]> = fc
  .record({
    ids: fc.uniqueArray(keyId, { minLength: 2, maxLength: 2 }),
    roots: fc.uniqueArray(der, {
      minLength: 2,
      maxLength: 2,
      comparator: "SameValue",
      selector: String,
    }),
    second: fc.constantFrom("prepared" as const, "retiring" as const, undefined),
    isFirst: fc.boolean(),
    sinceMs: timeMs,
    chain: fc.array(der, { maxLength: 3 }),
    key: fc.constantFrom("store" as const, "external" as const),
    auto: fc.boolean(),
    formerKeyIds: fc.array(keyId, { maxLength: formerKeysMax }),
    isAdopted: fc.boolean(),
  })
  .map(({ ids, roots, second, isFirst, isAdopted, ...others }) => {
    const rest = { ...others, ...(isAdopted && { adopted: true as const }) };
    const both = (["active", second ?? "prepared"] as const).map((state, index) => ({
      ...rest,
      state,
      id: ids[index] ?? "",
      root: roots[index] ?? new Uint8Array(),
    }));
    if (second === undefined) return both.slice(0, 1);
    return isFirst ? both : both.toReversed();
  });

const plain = { noNullPrototype: true } as const;
const trustState: fc.Arbitrary<TrustState> = fc.record(
  {
    epoch: fc.nat(),
    trustDomain: fc.constantFrom(firstTrust.trustDomain, TrustDomain.parse("a.b-c_d")),
    bundleSequence: fc.bigInt({ min: 10n ** 9n, max: 10n ** 18n }),
    rootsSequence: fc.bigInt({ min: 1n, max: 10n ** 9n }),
    authorities,
    retired: fc.array(
      fc.record(
        {
          id: keyId,
          rootSha256: fc.stringMatching(/^[0-9a-f]{64}$/),
          atMs: timeMs,
          compromised: fc.boolean(),
          keyIds: fc.array(keyId, { maxLength: compromisedKeysMax }),
          confirmed: fc.boolean(),
        },
        plain,
      ),
      { maxLength: retiredMax },
    ),
    jwtAuthorities: fc.array(
      fc.record(
        {
          keyId: fc.stringMatching(/^[\w-]{1,43}$/),
          state: fc.constantFrom("prepared", "active", "retiring", "retired"),
          spki: der,
        },
        plain,
      ),
      { maxLength: 3 },
    ),
    otherRoots: fc.array(der, { maxLength: 3 }),
    denyDigest: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  },
  plain,
);

describe("a stored trust state", () => {
  it("is read back as it was written", () => {
    fc.assert(
      fc.property(trustState, (state) => {
        const again = parseTrustState(state.epoch, encodeTrustState(state));
        assert.deepEqual(again, state);
        assert.equal(encodeTrustState(again), encodeTrustState(state));
        const frozen = [again, again.authorities, again.retired, ...again.authorities];
        assert.ok(frozen.every(Object.isFrozen));
      }),
    );
  });

  it("of version 4 is written as it has been since", () => {
    assert.equal(encodeTrustState(parseTrustState(9, vector(4))), vector(4));
  });

  /** Octets of a certificate of RSA-4096 with the longest name, as `core/x509/root` makes it. */
  const large = 1_468;
  const big = (letter: string): AuthorityRecord => ({
    ...authorityOf(letter),
    id: Buffer.alloc(20, letter).toString("hex"),
    state: letter === "A" ? "active" : "retiring",
    sinceMs: 1_795_521_600_000,
    formerKeyIds: Array.from({ length: formerKeysMax }, () => "ab".repeat(20)),
    chain: [new Uint8Array(large)],
    root: new Uint8Array(large),
  });
  const withAuthorities = (letters: string): TrustState => ({
    ...firstTrust,
    trustDomain: TrustDomain.parse("d".repeat(255)),
    authorities: Array.from(letters, big),
    retired: Array.from({ length: retiredMax }, () => ({
      id: "ab".repeat(20),
      rootSha256: "ab".repeat(32),
      atMs: 1_795_521_600_000,
      compromised: false,
      keyIds: Array.from({ length: compromisedKeysMax }, () => "ab".repeat(20)),
      confirmed: false,
    })),
    jwtAuthorities: [{ keyId: "k".repeat(43), state: "active", spki: new Uint8Array(91) }],
  });

  it("has room for both authorities of a rotation in RSA-4096 with an intermediate each, all lists full, and a root besides", () => {
    const state = { ...withAuthorities("AB"), otherRoots: [new Uint8Array(large)] };
    // And 512 of reserve.
    assert.ok(documentLengthOf(state) <= 15_872, `${documentLengthOf(state)}`);
  });

  it("is not written when it has become too large", () => {
    const root = new Uint8Array(5_000);
    const authority = { ...big("A"), chain: [root, root], root };
    assert.throws(
      () => encodeTrustState({ ...firstTrust, authorities: [authority] }),
      isCode("trust-state-too-large"),
    );
  });
});

describe("a trust state of an older version", () => {
  for (const version of [1, 2, 3]) {
    it(`${version} signs and trusts as it did, named by the key that its certificate has`, () => {
      const [stored] = JSON.parse(vector(version)).authorities;
      const { authorities, retired, ...rest } = parseTrustState(5, vector(version));
      const root = new Uint8Array(Buffer.from(stored.root, "base64"));
      const { spki } = parseCertificate(root);
      assert.deepEqual(authorities, [
        {
          id: keyIdOf(spki),
          state: "active",
          sinceMs: 0,
          chain: [],
          root,
          key: version === 3 ? "external" : "store",
          auto: false,
          formerKeyIds: [],
        },
      ]);
      assert.deepEqual(retired, []);
      assert.deepEqual([rest.epoch, rest.bundleSequence], [5, 1n]);
      assert.equal(rest.jwtAuthorities.length, version === 1 ? 0 : 1);
      assert.equal(rest.otherRoots.length, version === 1 ? 0 : 1);
      assert.deepEqual(Buffer.from(rest.denyDigest), DenyList.empty.digest());
    });

    it(`${version} is read from what it is written as now`, () => {
      const state = parseTrustState(5, vector(version));
      const now = encodeTrustState(state);
      assert.equal(JSON.parse(now).version, 4);
      assert.deepEqual(parseTrustState(5, now), state);
    });
  }

  it("with a chain is named by its signing certificate's key, not its root's", () => {
    const document = JSON.parse(vector(3));
    const [other] = document.otherRoots;
    document.authorities[0].chain = [other];
    const [authority] = parseTrustState(5, JSON.stringify(document)).authorities;
    const { spki } = parseCertificate(new Uint8Array(Buffer.from(other, "base64")));
    assert.equal(authority?.id, keyIdOf(spki));
  });
});
