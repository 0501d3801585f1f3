import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  activate,
  afterCommands,
  authorityOf,
  firstTrust,
  idOf,
  prepareOf,
  retire,
  rootOf,
} from "../../../test/support/trust-states.ts";
import { DenyList } from "../deny/deny-list.ts";
import {
  activeAuthority,
  activeJwtAuthority,
  authorityIn,
  bundleOf,
  initialTrustState,
  restoredTrust,
  TrustStateError,
  unconfirmedRetired,
  withDenyList,
  withJwtAuthority,
  type JwtAuthorityRecord,
  type TrustState,
} from "./trust-state.ts";

const jwt = (keyId: string, state: JwtAuthorityRecord["state"]): JwtAuthorityRecord => ({
  keyId,
  state,
  spki: rootOf(keyId),
});

describe("a trust state", () => {
  it("starts with one authority, at epoch and sequence 1", () => {
    const { trustDomain } = firstTrust;
    const state = initialTrustState({ trustDomain, authority: authorityOf("A"), nowMs: 7 });
    assert.deepEqual([state.epoch, state.bundleSequence], [1, 1n]);
    assert.deepEqual(activeAuthority(state), {
      ...authorityOf("A"),
      formerKeyIds: [],
      state: "active",
      sinceMs: 7,
    });
    assert.deepEqual(bundleOf(state).roots, [rootOf("A")]);
    assert.deepEqual([state.retired, unconfirmedRetired(state)], [[], []]);
  });

  it("has every authority's root in its bundle, and those trusted besides, each once", () => {
    const prepared = afterCommands([prepareOf("B")], { ...firstTrust, otherRoots: [rootOf("X")] });
    assert.deepEqual(bundleOf(prepared).roots, ["A", "B", "X"].map(rootOf));
    const retiring = afterCommands([activate], prepared);
    assert.deepEqual(bundleOf(retiring).roots, ["A", "B", "X"].map(rootOf));
    const retired = afterCommands([retire], retiring);
    assert.deepEqual(bundleOf(retired).roots, ["B", "X"].map(rootOf));
    assert.equal(bundleOf(retired).sequence, retired.bundleSequence);
  });

  it("from a backup has a higher sequence than agents may hold, for its roots too, and is otherwise as it was", () => {
    const before = afterCommands([prepareOf("B")]);
    const { epoch, bundleSequence, rootsSequence, ...rest } = restoredTrust(before);
    assert.equal(epoch, before.epoch + 1);
    assert.equal(bundleSequence, before.bundleSequence + 1_000_000n);
    assert.equal(rootsSequence, bundleSequence);
    assert.deepEqual({ ...before, ...rest }, before);
  });

  it("knows its authority in each state, and who may be trusted still by somebody", () => {
    const retiring = afterCommands([prepareOf("B"), activate]);
    assert.equal(authorityIn(retiring, "retiring")?.id, idOf("A"));
    assert.equal(authorityIn(retiring, "prepared"), undefined);
    const retired = afterCommands([retire], retiring);
    assert.deepEqual(
      unconfirmedRetired(retired).map(({ id }) => id),
      [idOf("A")],
    );
    const confirmed = afterCommands([{ kind: "confirm" }], retired);
    assert.deepEqual(unconfirmedRetired(confirmed), []);
    assert.equal(confirmed.retired.length, 1);
  });

  it("without an active authority is a fault", () => {
    const state = { ...firstTrust, authorities: [] };
    assert.throws(
      () => activeAuthority(state),
      (error) => error instanceof TrustStateError && error.code === "trust-state-invariant",
    );
  });
});

describe("a trust state that changes", () => {
  it("moves its epoch and its sequence for a JWT authority, which is then in the bundle", () => {
    const first = withJwtAuthority(firstTrust, jwt("k1", "active"));
    assert.deepEqual([first.epoch, first.bundleSequence, first.rootsSequence], [2, 2n, 1n]);
    assert.equal(activeJwtAuthority(firstTrust), undefined);
    assert.equal(activeJwtAuthority(first)?.keyId, "k1");
    const second = withJwtAuthority(first, jwt("k2", "retired"));
    assert.deepEqual(bundleOf(second).jwtKeys, [{ keyId: "k1", spki: rootOf("k1") }]);
  });

  it("knows since which sequence it has these roots, also when they are trusted again", () => {
    const sequences = (state: TrustState): readonly bigint[] => [
      state.bundleSequence,
      state.rootsSequence,
    ];
    const prepared = afterCommands([prepareOf("B")]);
    assert.deepEqual(sequences(prepared), [2n, 2n]);
    assert.deepEqual(sequences(afterCommands([activate], prepared)), [2n, 2n]);
    const withKey = withJwtAuthority(prepared, jwt("k1", "active"));
    assert.deepEqual(sequences(withKey), [3n, 2n]);
    const again = afterCommands([{ kind: "abort" }, prepareOf("B")], withKey);
    assert.deepEqual(sequences(again), [5n, 5n]);
  });

  it("keeps its bundle when somebody is denied, and says who by a digest", () => {
    const list = DenyList.empty.add({
      target: { kind: "serial", serialHex: "ab".repeat(16) },
      reason: "stolen",
      operator: "alice",
      createdAtMs: 1,
    });
    const next = withDenyList(firstTrust, list);
    assert.equal(next.epoch, 2);
    assert.deepEqual(next.denyDigest, list.digest());
    assert.deepEqual(bundleOf(next), bundleOf(firstTrust));
  });
});
