import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { peerOf } from "../../../../test/support/policy-objects.ts";
import type { PeerAuthentication } from "../../resources/peer-authentication.ts";
import { RecentChanges } from "./recent-changes.ts";

const api = peerOf({ at: "shop/api", mode: "PERMISSIVE", selector: { app: "api" } });
const strict = peerOf({ at: "shop/default", mode: "STRICT" });
const name = { namespace: "shop", name: "default" };
const anyName = (): boolean => true;

/** Those beside what is. */
function soon(
  recent: RecentChanges,
  peers: readonly PeerAuthentication[],
  nowMs: number,
): readonly (readonly PeerAuthentication[])[] {
  const { variants, isCut } = recent.over(peers, anyName, nowMs);
  assert.equal(isCut, false);
  assert.deepEqual(variants[0], peers);
  return variants.slice(1);
}

describe("a change that was let in", () => {
  it("counts until it is told of, or a while has passed", () => {
    const recent = new RecentChanges();
    assert.deepEqual(soon(recent, [api], 0), []);
    recent.add({ name, before: undefined, after: strict }, 0);
    assert.deepEqual(soon(recent, [api], 9_999), [[api, strict]]);
    assert.deepEqual(soon(recent, [api, strict], 1), []);
    assert.deepEqual(soon(recent, [api], 10_000), []);
  });

  it("counts no more when it has been told of, whatever comes after it", () => {
    const recent = new RecentChanges();
    recent.add({ name, before: undefined, after: strict }, 0);
    recent.told(api.ref, undefined);
    assert.equal(soon(recent, [], 1).length, 1);
    recent.told(name, strict);
    assert.deepEqual(soon(recent, [], 1), []);
  });

  it("that takes something away counts, too", () => {
    const recent = new RecentChanges();
    recent.add({ name: api.ref, before: api, after: undefined }, 0);
    assert.deepEqual(soon(recent, [api, strict], 1), [[strict]]);
    assert.deepEqual(soon(recent, [strict], 1), []);
  });

  it("stays beside a later one of its name, which anybody may have asked for", () => {
    const recent = new RecentChanges();
    const other = peerOf({ at: "shop/default", mode: "DISABLE" });
    recent.add({ name, before: undefined, after: strict }, 0);
    for (let at = 0; at < 99; at++) recent.add({ name, before: strict, after: other }, 1);
    assert.deepEqual(soon(recent, [api], 2), [
      [api, other],
      [api, strict],
    ]);
  });

  it("counts without those of other names, too", () => {
    const recent = new RecentChanges();
    recent.add({ name: api.ref, before: api, after: undefined }, 0);
    recent.add({ name, before: undefined, after: strict }, 0);
    assert.deepEqual(soon(recent, [api], 1), [[strict], [], [api, strict]]);
  });

  it("does not count where nobody is concerned by it", () => {
    const recent = new RecentChanges();
    recent.add({ name, before: undefined, after: strict }, 0);
    const { variants } = recent.over([], ({ namespace }) => namespace === "pay", 1);
    assert.deepEqual(variants, [[]]);
  });

  it("is not forgotten in silence where there are too many", () => {
    const recent = new RecentChanges();
    const add = (at: number, nowMs: number): void => {
      const after = peerOf({ at: `shop/p${at}`, mode: "STRICT" });
      recent.add({ name: after.ref, before: undefined, after }, nowMs);
    };
    for (let at = 0; at < 17; at++) add(at, 0);
    assert.equal(recent.over([], anyName, 1).isCut, true);
    assert.equal(recent.over([], ({ name: of }) => of !== "p3", 1).isCut, false);
    for (let at = 0; at < 1_100; at++) add(at, 5);
    const nobody = (): boolean => false;
    assert.equal(recent.over([], nobody, 6).isCut, true);
    assert.equal(recent.over([], nobody, 10_005).isCut, false);
  });
});
