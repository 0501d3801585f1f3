import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { policyOf } from "../../../../test/support/proxy-policies.ts";
import type { ReportedPolicy } from "../../../core/policy/policy-report.ts";
import type { ProxyPolicy } from "../../../core/policy/proxy-policy.ts";
import { policyDigest } from "../../../edge/rpc/policy-messages.ts";
import { encodedPolicy } from "./encoded-policies.ts";
import {
  claimsAfter,
  claimsWithoutProxy,
  noClaims,
  type PolicyClaims,
  type SentPolicy,
} from "./policy-claims.ts";

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
    assignmentsAnswered: 0,
    ...changes,
  };
}

const nackOf = (policy: ReportedPolicy["applied"] & {}, isPartial: boolean) => ({
  nack: { ...policy, detail: "no", resources: [], isPartial },
});
const nth = (at: number, policy: ProxyPolicy): SentPolicy => ({ at, policy });
const answering = (assignmentsAnswered: number) => ({ assignmentsAnswered });
const onNew = { desired: undefined, isNew: true, octetsMax: 10_000 };
const first = (changes: Partial<ReportedPolicy>) => claimsAfter(noClaims, said(changes), onNew);
const next = (before: PolicyClaims, changes: Partial<ReportedPolicy>) =>
  claimsAfter(before, said(changes), { ...onNew, isNew: false });

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
    const sent = { ...first({ applied: whole(p1) }), sent: nth(1, p2) };
    const nack = nackOf(named(p2), true);
    const refused = next(sent, { applied: named(p1), ...nack, ...answering(1) });
    assert.deepEqual([refused.partial, refused.refused, refused.sent], [[p2], p2, undefined]);
    const more = { ...refused, sent: nth(2, p3) };
    const again = next(more, { applied: named(p1), ...nackOf(named(p3), true) });
    assert.deepEqual(again.partial, [p2, p3]);
    const restored = next(again, { applied: named(p1), ...nackOf(named(p3), false) });
    assert.deepEqual([restored.partial, restored.refused], [[], p3]);
  });

  it("is still what it has refused when it refuses what it had before, too", () => {
    const refused = next(
      { ...first({ applied: whole(p1) }), sent: nth(1, p2) },
      { applied: named(p1), ...nackOf(named(p2), true), ...answering(1) },
    );
    const isUnsure = true;
    const unsure = next(refused, { applied: named(p1), isUnsure, ...nackOf(named(p2), true) });
    for (const before of [refused, unsure]) {
      const sent = { ...before, sent: nth(2, p1) };
      const nack = nackOf(named(p2), true);
      const unread = next(sent, { applied: named(p1), ...nack, ...answering(1) });
      assert.deepEqual([unread.partial, unread.sent], [[p2], sent.sent]);
      const answer = { applied: named(p1), ...answering(2) };
      const both = next(unread, { ...answer, ...nackOf(named(p1), true) });
      assert.deepEqual([both.applied, both.partial, both.sent], [p1, [p2, p1], undefined]);
      const restored = next(unread, { ...answer, ...nackOf(named(p2), false) });
      assert.deepEqual([restored.partial, restored.sent], [[], undefined]);
    }
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
    const sent = { ...claims, sent: nth(1, p2) };
    const taken = next(sent, { applied: named(p2), ...answering(1) });
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
    const [stray, sent] = [nth(3, p2), nth(5, p3)];
    const gone = claimsWithoutProxy({ ...first({ applied: whole(p1) }), sent: stray });
    const again = claimsWithoutProxy({ ...gone, sent: nth(4, p2) });
    assert.deepEqual([gone.sent, gone.strays, again.strays], [undefined, [stray], [nth(4, p2)]]);
    const back = { ...next(gone, { applied: whole(p1), ...answering(2) }), sent };
    assert.deepEqual(back.strays, [stray]);
    // It had refused that before, and says so though it has not answered yet what came before.
    const refused = next(back, {
      applied: named(p1),
      ...nackOf(named(p3), false),
      ...answering(2),
    });
    assert.deepEqual([refused.strays, refused.sent], [[stray], sent]);
    const both = nackOf(named(p3), true);
    const partly = next(back, { applied: named(p1), ...both, ...answering(5) });
    assert.deepEqual([partly.strays, partly.partial, partly.sent], [[], [p2, p3], undefined]);
    const taken = next(back, { applied: named(p3), ...answering(5) });
    assert.deepEqual([taken.applied, taken.strays, taken.sent], [p3, [], undefined]);
    const late = next(back, { applied: named(p2), ...answering(2) });
    assert.deepEqual([late.applied, late.strays, late.sent], [p2, [stray], sent]);
    const without = next(back, { applied: named(p1), ...answering(4) });
    assert.deepEqual([without.strays, without.sent], [[], sent]);
  });

  it("is also what is on its way to it, though it says the same already", () => {
    const sent = nth(1, p1);
    const before = { ...first({ applied: whole(p1) }), sent };
    for (const changes of [{}, nackOf(named(p1), false)]) {
      const same = next(before, { applied: named(p1), ...changes });
      assert.deepEqual([same.applied, same.sent], [p1, sent]);
      const read = next(same, { applied: named(p1), ...changes, ...answering(1) });
      assert.deepEqual([read.applied, read.sent], [p1, undefined]);
    }
    const other = next(before, { applied: whole(p2), ...answering(1) });
    assert.deepEqual(other.sent, sent, "nothing of what was sent is answered");
  });

  it("is only what the report says, on another stream", () => {
    const before = claimsWithoutProxy({ ...first({ applied: whole(p1) }), sent: nth(1, p2) });
    const { strays, partial, applied } = claimsAfter(before, said({ applied: whole(p1) }), onNew);
    assert.deepEqual([strays, partial, applied], [[], [], p1]);
  });

  it("is unknown when more was sent to it in vain than is kept, until it has taken something of that", () => {
    let claims = first({ applied: whole(p1) });
    const sent = Array.from({ length: 20 }, (_, i) => nth(i + 1, policyOf("strict", 1_000 + i)));
    for (const each of sent) {
      claims = claimsWithoutProxy({ ...claims, sent: each });
      claims = next(claims, { applied: whole(p1) });
    }
    assert.deepEqual([claims.strays, claims.applied], [sent.slice(-8), undefined]);
    const { at, policy: late } = sent.at(-2) ?? nth(19, p2);
    const taken = next(claims, { applied: named(late), ...answering(at) });
    assert.deepEqual([taken.applied, taken.strays], [late, sent.slice(-1)]);
    assert.deepEqual(next(taken, { applied: named(late), ...answering(at) }).applied, late);
    const more = { ...claims, sent: nth(21, p2) };
    assert.deepEqual(next(more, { applied: named(p2), ...answering(21) }).applied, p2);
    assert.deepEqual(claimsAfter(claims, said({ applied: whole(p1) }), onNew).applied, p1);
  });

  it("is unknown where there is no room for the octets that say it", () => {
    const octetsMax = whole(p1).octets.length;
    const told = (changes: Partial<ReportedPolicy>, desired?: ProxyPolicy) =>
      claimsAfter(noClaims, said(changes), { desired, isNew: true, octetsMax });
    assert.deepEqual(told({ applied: whole(p1) }).applied, p1);
    const both = { applied: whole(p1), ...nackOf(whole(p2), true) };
    assert.deepEqual([told(both).applied, told(both).claimed], [undefined, p1]);
    const harmless = { applied: whole(p1), ...nackOf(whole(p2), false) };
    assert.deepEqual(told(harmless).applied, p1);
    assert.deepEqual(told(both, p2).applied, p1, "what it is to do costs nothing");
  });
});
