import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { policyOf } from "../../../../test/support/proxy-policies.ts";
import type { ReportedPolicy } from "../../../core/policy/policy-report.ts";
import type { ProxyPolicy } from "../../../core/policy/proxy-policy.ts";
import { policyDigest } from "../../../edge/rpc/policy-messages.ts";
import { encodedPolicy } from "./encoded-policies.ts";
import { claimsAfter, claimsWithoutProxy, noClaims, type PolicyClaims } from "./policy-claims.ts";

const [p1, p2, p3] = [policyOf("strict", 1), policyOf("strict", 2), policyOf("strict", 3)];
const whole = encodedPolicy;
const named = (policy: ProxyPolicy) => ({ ...whole(policy), octets: undefined });

function said(changes: Partial<ReportedPolicy>): ReportedPolicy {
  return {
    proxyId: "p",
    spiffeId: undefined,
    labels: new Map(),
    hasListeners: true,
    applied: undefined,
    isUnsure: false,
    nack: undefined,
    draining: new Map(),
    oldConnections: "unobserved",
    ...changes,
  };
}

const nackOf = (policy: ReportedPolicy["applied"] & {}, isPartial: boolean) => ({
  nack: { ...policy, detail: "no", resources: [], isPartial },
});
const first = (changes: Partial<ReportedPolicy>) =>
  claimsAfter(noClaims, said(changes), { desired: undefined, isNew: true });
const next = (before: PolicyClaims, changes: Partial<ReportedPolicy>) =>
  claimsAfter(before, said(changes), { desired: undefined, isNew: false });

describe("what a proxy may be doing", () => {
  it("is unknown while its agent is unsure, and what it said then is known by its digest later", () => {
    const unsure = first({ applied: whole(p1), isUnsure: true });
    assert.deepEqual([unsure.applied, unsure.claimed], [undefined, p1]);
    assert.deepEqual(next(unsure, { applied: named(p1) }).applied, p1);
  });

  it("is unknown where nobody knows what a digest is of", () => {
    assert.equal(first({ applied: named(p1) }).applied, undefined);
    const unknown = nackOf(named(p2), true);
    assert.equal(first({ applied: whole(p1), ...unknown }).applied, undefined);
    const harmless = nackOf(named(p2), false);
    assert.deepEqual(first({ applied: whole(p1), ...harmless }).applied, p1);
  });

  it("is also what it has refused, until it has taken something again", () => {
    const sent = { ...first({ applied: whole(p1) }), sent: p2 };
    const refused = next(sent, { applied: named(p1), ...nackOf(named(p2), true) });
    assert.deepEqual([refused.partial, refused.refused, refused.sent], [[p2], p2, undefined]);
    const more = { ...refused, sent: p3 };
    const again = next(more, { applied: named(p1), ...nackOf(named(p3), true) });
    assert.deepEqual(again.partial, [p2, p3]);
    const restored = next(again, { applied: named(p1), ...nackOf(named(p3), false) });
    assert.deepEqual([restored.partial, restored.refused], [[], p3]);
  });

  it("is unknown when it has refused more than is kept, until it has taken something again", () => {
    let claims = first({ applied: whole(p1) });
    for (let port = 1_000; port < 1_100; port++) {
      const refused = nackOf(whole(policyOf("strict", port)), true);
      claims = next(claims, { applied: named(p1), ...refused });
    }
    assert.deepEqual([claims.applied, claims.partial.length], [undefined, 8]);
    const same = nackOf(named(policyOf("strict", 1_099)), true);
    claims = next(claims, { applied: named(p1), ...same });
    assert.equal(claims.applied, undefined);
    const taken = next({ ...claims, sent: p2 }, { applied: named(p2) });
    assert.deepEqual([taken.applied, taken.partial, taken.hasForgotten], [p2, [], false]);
    const restored = next(claims, { applied: named(p1) });
    assert.deepEqual([restored.applied, restored.hasForgotten], [p1, false]);
  });

  it("stays known by its digest where another version of the server has said more in it", () => {
    const octets = new Uint8Array([...whole(p1).octets, 0xfa, 0x3e, 0x01, 0x41]);
    const digest = policyDigest(octets);
    const told = first({ applied: { digest, octets } });
    assert.deepEqual(told.applied, p1);
    assert.deepEqual(next(told, { applied: { digest, octets: undefined } }).applied, p1);
  });

  it("is also what was refused on another stream, of which the octets come", () => {
    const { partial, applied } = first({ applied: whole(p1), ...nackOf(whole(p2), true) });
    assert.deepEqual([partial, applied], [[p2], p1]);
  });

  it("is also what was sent before it had gone and come, until it has taken something that was sent later", () => {
    const gone = claimsWithoutProxy({ ...first({ applied: whole(p1) }), sent: p2 });
    assert.deepEqual(
      [gone.sent, claimsWithoutProxy({ ...gone, sent: p2 }).strays],
      [undefined, [p2]],
    );
    const back = next(gone, { applied: whole(p1) });
    assert.deepEqual(back.strays, [p2]);
    // It had refused that before: it says so at once, whatever it does with what came before.
    const refused = next(
      { ...back, sent: p3 },
      { applied: named(p1), ...nackOf(named(p3), false) },
    );
    assert.deepEqual([refused.strays, refused.sent], [[p2], undefined]);
    const taken = next({ ...back, sent: p3 }, { applied: named(p3) });
    assert.deepEqual([taken.strays, taken.sent], [[], undefined]);
    const late = next({ ...back, sent: p3 }, { applied: named(p2) });
    assert.deepEqual([late.applied, late.strays, late.sent], [p2, [], p3]);
  });

  it("is only what the report says, on another stream", () => {
    const before = claimsWithoutProxy({ ...first({ applied: whole(p1) }), sent: p2 });
    const { strays, partial, applied } = claimsAfter(before, said({ applied: whole(p1) }), {
      desired: undefined,
      isNew: true,
    });
    assert.deepEqual([strays, partial, applied], [[], [], p1]);
  });
});
