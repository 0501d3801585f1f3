import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  cart,
  envoy,
  former,
  holding,
  laggardsOf,
  NOW_MS,
  present,
  RollScene,
  subscription,
  wordsOf,
} from "../../../test/support/roll-scene.ts";
import {
  judgeHandshake,
  type HandshakeProof,
  type HandshakeView,
  type KnownListeners,
} from "./handshake-proof.ts";
import type { Gate } from "./laggard.ts";
import { verifierGate } from "./verifier-gate.ts";

const root = "0a".repeat(32);
const policyDigest = "0b".repeat(32);
const ours: KnownListeners = { kind: "ours", policyDigest };
const good: HandshakeProof = {
  rootSha256: root,
  rootsSequence: 3n,
  policyDigest,
  failure: undefined,
};
const failure = { listener: "inbound_8443", detail: "tlsv1 alert unknown ca" };
const proxyName = `proxy/p1@${cart.spiffeId}`;

const viewOf = (
  listeners: KnownListeners,
  proof?: HandshakeProof,
  unavailable?: string,
): HandshakeView => ({
  rootSha256: root,
  rootsSequence: 3n,
  unavailable,
  listenersOf: () => listeners,
  proofOf: () => proof,
});

function gateOf(handshakes: HandshakeView | undefined, waived: readonly string[] = []): Gate {
  const scene = new RollScene();
  scene.connect(cart, [envoy("p1", present)]);
  const view = scene.view({ waived: new Set(waived), ...(handshakes && { handshakes }) });
  return verifierGate(view, NOW_MS, 10);
}

describe("a proxy that has acknowledged the bundle", () => {
  const table: readonly (readonly [string, HandshakeView | undefined, string])[] = [
    ["confirms where nobody asks for handshakes", undefined, "open"],
    ["confirms where its listeners are not ours", viewOf({ kind: "none" }), "open"],
    ["confirms by a handshake under the next root", viewOf(ours, good), "open"],
    ["confirms by it, whatever hinders others", viewOf(ours, good, "no key"), "open"],
    [
      "is waited for while its agent has not said what it listens on",
      viewOf({ kind: "unknown" }, good),
      "handshake-pending",
    ],
    ["is waited for without a handshake", viewOf(ours), "handshake-pending"],
    [
      "is waited for by name where a listener refuses",
      viewOf(ours, { ...good, failure }),
      "handshake-failed",
    ],
    [
      "is waited for where nothing can be signed to try it with",
      viewOf(ours, undefined, "no key"),
      "handshake-unavailable",
    ],
    [
      "is not confirmed by a handshake under another root",
      viewOf(ours, { ...good, rootSha256: former }),
      "handshake-pending",
    ],
    [
      "is not confirmed by a handshake from before these roots",
      viewOf(ours, { ...good, rootsSequence: 2n }),
      "handshake-pending",
    ],
    [
      "is not confirmed by a handshake with other listeners",
      viewOf(ours, { ...good, policyDigest: former }),
      "handshake-pending",
    ],
  ];
  for (const [title, handshakes, wanted] of table) {
    it(title, () => {
      const expected = wanted === "open" ? wanted : `${proxyName} ${wanted}`;
      assert.equal(wordsOf(gateOf(handshakes)), expected);
    });
  }

  it("is told with the listener and TLS's words", () => {
    const [laggard] = laggardsOf(gateOf(viewOf(ours, { ...good, failure })));
    assert.match(laggard?.detail ?? "", /inbound_8443: tlsv1 alert unknown ca/);
  });

  for (const proof of [undefined, { ...good, failure }]) {
    it(`can be waived when its handshake is ${proof ? "refused" : "to come"}`, () => {
      const { kind, evidence } = gateOf(viewOf(ours, proof), [proxyName]);
      assert.equal(kind, "open");
      assert.deepEqual(evidence, { total: 2, confirmed: 1, weak: 0, waived: 1 });
    });
  }
});

it("who confirms by an acknowledgement alone is counted", () => {
  const { evidence } = gateOf(viewOf({ kind: "none" }));
  assert.deepEqual(evidence, { total: 2, confirmed: 2, weak: 0, waived: 0, ackOnly: 1 });
});

it("no handshake stands for the acknowledgement of the bundle", () => {
  const scene = new RollScene();
  scene.connect(cart, [envoy("p1", former)]);
  const view = scene.view({ handshakes: viewOf(ours, good) });
  assert.equal(wordsOf(verifierGate(view, NOW_MS, 10)), `${proxyName} old-bundle`);
});

it("clients of the Workload API listen on nothing of ours", () => {
  const scene = new RollScene();
  const subscriptions = [subscription("x509", holding(present))];
  scene.connect(cart, [{ proxyId: "p1", subscriptions, weak: true }]);
  const view = scene.view({ handshakes: viewOf({ kind: "unknown" }) });
  const gate = verifierGate(view, NOW_MS, 10);
  assert.equal(gate.kind, "open");
  assert.equal(gate.evidence.ackOnly, undefined);
});

it("a proxy is known by its agent, its identity and its name", () => {
  const asked: unknown[] = [];
  const view = viewOf(ours, good);
  const proxy = { reporter: cart, spiffeId: "spiffe://td/ns/shop/sa/web", proxyId: "p1" };
  judgeHandshake({ ...view, proofOf: (each) => void asked.push(each) }, proxy);
  assert.deepEqual(asked, [proxy]);
});
