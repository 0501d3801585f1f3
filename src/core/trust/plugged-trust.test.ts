import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { TrustDomain } from "../spiffe/id.ts";
import {
  TrustChangeError,
  withPluggedAuthority,
  type PluggedAuthority,
  type TrustChangeErrorCode,
} from "./plugged-trust.ts";
import { activeAuthority, bundleOf, initialTrustState, type TrustState } from "./trust-state.ts";

const der = (value: number): Uint8Array => Uint8Array.of(0x30, value);
const isCode =
  (code: TrustChangeErrorCode) =>
  (error: unknown): boolean =>
    error instanceof TrustChangeError && error.code === code && error.hint !== undefined;

const plugged: PluggedAuthority = {
  id: "ab",
  chain: [der(1), der(2)],
  root: der(9),
  roots: [der(9), der(8), der(7)],
};

function stateOf({ id, chain, root, roots }: PluggedAuthority): TrustState {
  return initialTrustState({
    trustDomain: TrustDomain.parse("cluster.local"),
    authority: { id, state: "active", chain, root, key: "external" },
    otherRoots: roots.filter((each) => each !== root),
  });
}

const state = stateOf(plugged);

describe("an operator's CA", () => {
  it("that is what it was changes nothing, in whatever order its roots stand", () => {
    const order = fc.shuffledSubarray([...plugged.roots], { minLength: 3 });
    fc.assert(
      fc.property(order, (roots) => {
        assert.equal(withPluggedAuthority(state, { ...plugged, roots }), state);
      }),
    );
  });

  it("may have other intermediates under the same root, and the bundle stays", () => {
    for (const changes of [{ id: "cd" }, { chain: [der(3), der(2)] }, { chain: [der(1)] }]) {
      const next = withPluggedAuthority(state, { ...plugged, ...changes });
      const { id, chain, key } = activeAuthority(next);
      assert.deepEqual({ id, chain }, { id: plugged.id, chain: plugged.chain, ...changes });
      assert.equal(key, "external");
      assert.equal(next.epoch, state.epoch + 1);
      assert.deepEqual(bundleOf(next), bundleOf(state));
    }
  });

  it("may neither add nor drop a root", () => {
    for (const roots of [
      [...plugged.roots, der(6)],
      plugged.roots.slice(0, 2),
      [der(9), der(8), der(6)],
    ]) {
      assert.throws(
        () => withPluggedAuthority(state, { ...plugged, roots }),
        isCode("trust-roots-changed"),
      );
    }
  });

  it("may not sign under another of its roots", () => {
    assert.throws(
      () => withPluggedAuthority(state, { ...plugged, root: der(8) }),
      isCode("trust-anchor-changed"),
    );
  });

  it("may not take the place of a root that the server has made", () => {
    const own = initialTrustState({
      trustDomain: TrustDomain.parse("cluster.local"),
      authority: { ...activeAuthority(state), key: "store" },
      otherRoots: state.otherRoots,
    });
    assert.throws(() => withPluggedAuthority(own, plugged), isCode("trust-own-root"));
  });
});
