import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  cart,
  envoy,
  former,
  heldSequence,
  holding,
  hourMs,
  laggardsOf,
  leaf,
  NOW_MS,
  present,
  RollScene,
  subscription,
  wordsOf,
} from "../../../test/support/roll-scene.ts";
import type { ProxyEvidence, Reporter, SubscriptionEvidence } from "./evidence.ts";
import { LeafOwners, ownersPerIdentityMax } from "./leaf-owners.ts";
import { verifierGate } from "./verifier-gate.ts";
import type { VerifierView } from "./verifier-view.ts";

const inMs = (afterMs: number): number => NOW_MS + afterMs;
const own = subscription("default", holding(undefined, inMs(hourMs)));
const nack = { nack: { atMs: NOW_MS, version: "v", detail: "no" } };
const node: Reporter = { agentId: "n1", spiffeId: "spiffe://td/ns/mesh/sa/node" };
const proxyName = `proxy/p1@${cart.spiffeId}`;
const agentName = `agent/a1@${cart.spiffeId}`;

const proxy = (...subscriptions: readonly SubscriptionEvidence[]): ProxyEvidence => ({
  proxyId: "p1",
  subscriptions,
});

const gateOf = (scene: RollScene, changes: Partial<VerifierView> = {}, nowMs = NOW_MS) =>
  verifierGate(scene.view(changes), nowMs, 10);

/** Of one agent that holds the present bundle, and its proxy. */
function gateOfProxy(evidence: ProxyEvidence): string {
  const scene = new RollScene();
  scene.connect(cart, [evidence]);
  return wordsOf(gateOf(scene));
}

describe("the gate of the verifiers opens", () => {
  it("over an empty mesh", () => {
    const gate = gateOf(new RollScene());
    assert.deepEqual(gate, {
      kind: "open",
      evidence: { total: 0, confirmed: 0, weak: 0, waived: 0 },
    });
  });

  it("when agents and proxies hold the present roots, since these were trusted last", () => {
    const scene = new RollScene();
    scene.connect(cart, [envoy("p1", present)]);
    for (const rootsSequence of [0n, heldSequence]) {
      assert.deepEqual(gateOf(scene, { rootsSequence }), {
        kind: "open",
        evidence: { total: 2, confirmed: 2, weak: 0, waived: 0 },
      });
    }
  });

  it("not by evidence from before these roots were withdrawn and trusted again", () => {
    const scene = new RollScene();
    scene.connect(cart, [envoy("p1", present)]);
    const gate = gateOf(scene, { rootsSequence: heldSequence + 1n });
    assert.equal(wordsOf(gate), `${agentName} old-bundle, ${proxyName} old-bundle`);
  });

  it("for a proxy without a certificate that asks for no bundle: it verifies nobody", () => {
    assert.equal(gateOfProxy(proxy(subscription("default"))), "open");
    assert.equal(gateOfProxy(proxy()), "open");
  });

  it("for a delivery on a stream of the Workload API, marked weak", () => {
    const scene = new RollScene();
    scene.connect(cart, [{ ...proxy(subscription("x509", holding(present))), weak: true }]);
    const { evidence } = gateOf(scene);
    assert.deepEqual(evidence, { total: 2, confirmed: 2, weak: 1, waived: 0 });
  });
});

describe("no confirmation is", () => {
  const table: readonly (readonly [string, ProxyEvidence, reason: string])[] = [
    ["an open stream", proxy(own, subscription("ROOTCA")), "not-acknowledged"],
    [
      "an acknowledgement of an empty response",
      proxy(own, subscription("ROOTCA", holding())),
      "not-acknowledged",
    ],
    [
      "an acknowledgement of another resource",
      proxy(subscription("default", holding(present, inMs(hourMs))), subscription("ROOTCA")),
      "not-acknowledged",
    ],
    ["an older bundle", proxy(own, subscription("ROOTCA", holding(former))), "old-bundle"],
    [
      "one of several subscriptions",
      proxy(
        own,
        subscription("ROOTCA", holding(present)),
        subscription("spiffe://td", { ...holding(former), streamId: 2n }),
      ),
      "old-bundle",
    ],
    [
      "one of two streams of a name",
      proxy(
        own,
        subscription("ROOTCA", holding(present)),
        subscription("ROOTCA", { streamId: 2n }),
      ),
      "not-acknowledged",
    ],
    [
      "what is refused now, whatever was acknowledged before",
      proxy(own, subscription("ROOTCA", { ...holding(present), ...nack })),
      "refused",
    ],
    ["a certificate without a bundle from here", proxy(own), "no-trust-bundle"],
  ];
  for (const [title, evidence, reason] of table) {
    it(title, () => assert.equal(gateOfProxy(evidence), `${proxyName} ${reason}`));
  }

  it("what an agent's proxies have, while the agent itself has another bundle, or none", () => {
    for (const [held, reason] of [
      [former, "old-bundle"],
      [undefined, "not-acknowledged"],
    ] as const) {
      const scene = new RollScene();
      scene.connect(cart, [envoy("p1", present)]);
      scene.report(cart, [envoy("p1", present)], held);
      assert.equal(wordsOf(gateOf(scene)), `${agentName} ${reason}`);
    }
  });

  it("what was said on an earlier stream", () => {
    const scene = new RollScene();
    scene.connect(cart, [envoy("p1", present)]);
    const facts = { skewMs: 0, leafNotAfterMs: inMs(hourMs), nowMs: NOW_MS };
    scene.roll.connected(cart, facts);
    assert.equal(
      wordsOf(gateOf(scene)),
      `${agentName} not-acknowledged, ${proxyName} not-connected`,
    );
    scene.report(cart, [envoy("p1", former)], present);
    assert.equal(wordsOf(gateOf(scene)), `${proxyName} old-bundle`);
  });

  it("a delivery on one of a client's streams, when another has the former bundle", () => {
    const scene = new RollScene();
    const weak = proxy(subscription("a", holding(present)), subscription("b", holding(former)));
    scene.connect(cart, [{ ...weak, weak: true }]);
    assert.equal(wordsOf(gateOf(scene)), `workload-api/p1@${cart.spiffeId} old-bundle`);
  });
});

describe("a subscription that a report lacks", () => {
  const rootca = subscription("ROOTCA", { ...holding(present), streamId: 1n });
  const other = subscription("ALL", { ...holding(former), streamId: 2n });
  const missing = (): RollScene => {
    const scene = new RollScene();
    scene.connect(cart, [proxy(own, rootca, other)]);
    scene.report(cart, [proxy(own, rootca)], present);
    return scene;
  };
  const name = `${proxyName} old-bundle`;

  it("counts as it was for a minute: its stream may be back", () => {
    const scene = missing();
    assert.equal(wordsOf(gateOf(scene)), name);
    scene.report(cart, [proxy(own, rootca)], present);
    assert.equal(wordsOf(gateOf(scene, {}, inMs(59_999))), name);
    assert.equal(wordsOf(gateOf(scene, {}, inMs(60_000))), "open");
  });

  it("counts no more when another stream has taken its name", () => {
    const scene = missing();
    const back = subscription("ALL", { ...holding(present), streamId: 3n });
    scene.report(cart, [proxy(own, rootca, back)], present);
    assert.equal(wordsOf(gateOf(scene)), "open");
  });

  it("counts for each stream of a name by itself", () => {
    const scene = new RollScene();
    const [first, second] = [1n, 2n].map((streamId) =>
      subscription("ROOTCA", { ...holding(former), streamId }),
    );
    assert.ok(first !== undefined && second !== undefined);
    scene.connect(cart, [proxy(own, first, second)]);
    const back = { ...rootca, streamId: 3n };
    scene.report(cart, [proxy(own, back)], present);
    assert.equal(wordsOf(gateOf(scene)), name);
    scene.report(cart, [proxy(own, back, { ...rootca, streamId: 4n })], present);
    assert.equal(wordsOf(gateOf(scene)), "open");
  });

  const at = (streamId: bigint, rootsDigest: string, bundleSequence: bigint) => {
    const acked = { atMs: NOW_MS, rootsDigest, bundleSequence };
    return subscription("ROOTCA", { acked, streamId });
  };
  const older = at(1n, former, heldSequence - 1n);
  const newer = at(2n, present, heldSequence);
  const part = (proxies: readonly ProxyEvidence[]) => ({
    sequence: 2n,
    full: false,
    proxies,
    gone: [],
    heldRootsDigest: present,
    heldBundleSequence: heldSequence,
  });

  it("is the worst of those that had its name, whichever is back", () => {
    const scene = new RollScene();
    scene.connect(cart, [proxy(own, older, newer)]);
    scene.roll.report(cart, part([proxy(own)]), NOW_MS);
    scene.roll.report(cart, part([proxy(own, at(3n, present, heldSequence))]), NOW_MS);
    assert.equal(wordsOf(gateOf(scene)), name);
  });

  it("is not known again by its number when its agent has begun anew", () => {
    const scene = new RollScene();
    scene.connect(cart, [proxy(own, older, newer)]);
    scene.roll.disconnected(cart, NOW_MS);
    scene.connect(cart, [proxy(at(1n, present, heldSequence))]);
    assert.equal(wordsOf(gateOf(scene)), name);
    // The proxy may also be in a later part of that first report.
    const parted = new RollScene();
    parted.connect(cart, [proxy(own, older, newer)]);
    parted.connect(cart, []);
    parted.roll.report(cart, part([proxy(at(1n, present, heldSequence))]), NOW_MS);
    assert.equal(wordsOf(gateOf(parted)), name);
  });

  it("counts when its agent was away meanwhile", () => {
    const scene = new RollScene();
    scene.connect(cart, [proxy(own, rootca, other)]);
    scene.roll.disconnected(cart, NOW_MS);
    scene.connect(cart, [proxy(own, rootca)]);
    assert.equal(wordsOf(gateOf(scene)), name);
  });

  it("of a certificate leaves that with the proxy until it has expired", () => {
    const scene = new RollScene();
    scene.connect(cart, [proxy(own, rootca)]);
    scene.report(cart, [proxy(rootca)], present);
    scene.report(cart, [], present);
    const gate = gateOf(scene, {}, inMs(hourMs) + 999);
    assert.equal(wordsOf(gate), `${proxyName} not-connected`);
    assert.equal(wordsOf(gateOf(scene, {}, inMs(hourMs) + 1_000)), "open");
  });
});

describe("who was seen and is away", () => {
  it("is waited for until its certificate has expired by any clock", () => {
    const scene = new RollScene();
    scene.connect(cart, [envoy("p1", present)], present, { skewMs: 5_000 });
    scene.roll.disconnected(cart, NOW_MS);
    const endMs = inMs(hourMs) + 1_000 + 5_000;
    const gate = gateOf(scene, {}, endMs - 1);
    assert.equal(wordsOf(gate), `${agentName} not-connected, ${proxyName} not-connected`);
    assert.equal(gate.kind === "closed" && gate.opensAtMs, endMs);
    assert.equal(wordsOf(gateOf(scene, {}, endMs)), "open");
  });

  it("is not waited for when it held none", () => {
    const scene = new RollScene();
    scene.connect(cart, [proxy(subscription("ROOTCA", holding(former)))]);
    scene.report(cart, [], present);
    assert.equal(wordsOf(gateOf(scene)), "open");
  });

  it("has a certificate of which its agent has not said, as the log says", () => {
    const scene = new RollScene();
    scene.connect(cart);
    scene.roll.disconnected(cart, NOW_MS);
    scene.owners.add(leaf({ agent: "a1", notAfterMs: inMs(2 * hourMs) }));
    const gate = gateOf(scene, {}, inMs(2 * hourMs));
    assert.equal(wordsOf(gate), `${agentName} not-connected`);
    assert.equal(gate.evidence.total, 1);
    assert.equal(wordsOf(gateOf(scene, {}, inMs(2 * hourMs) + 1_000)), "open");
  });

  it("is not waited for after its goodbye", () => {
    const scene = new RollScene();
    scene.connect(cart, [envoy("p1", former)]);
    scene.owners.add(leaf({ agent: "a1" }));
    scene.roll.goodbye(cart);
    scene.owners.goodbye({ spiffeId: cart.spiffeId, agent: cart.agentId, lastIndex: 60 }, NOW_MS);
    scene.roll.disconnected(cart, NOW_MS);
    assert.deepEqual(scene.roll.entries(), []);
    assert.equal(wordsOf(gateOf(scene)), "open");
  });

  it("is of the class of clients when it was one of the Workload API, and its agent is here", () => {
    const scene = new RollScene();
    const held = subscription("x509", holding(present, inMs(hourMs)));
    const client = { ...proxy(held), weak: true } as const;
    scene.connect(cart, [client]);
    scene.report(cart, [], present);
    assert.equal(wordsOf(gateOf(scene)), "class/workload-api unobservable");
    scene.roll.prune(NOW_MS);
    assert.deepEqual(scene.roll.entries(), []);
    assert.equal(wordsOf(gateOf(scene)), "class/workload-api unobservable");
    assert.equal(wordsOf(gateOf(scene, {}, inMs(hourMs) + 1_000)), "open");
  });
});

describe("the owner of a certificate", () => {
  it("that names an agent is confirmed by the stream of that agent, and by nobody else's", () => {
    const scene = new RollScene();
    scene.owners.add(leaf({ agent: "a1", intentIndex: 200 }));
    const name = `${agentName} never-connected`;
    assert.equal(wordsOf(gateOf(scene)), name);
    scene.connect({ ...cart, agentId: "a2" });
    assert.equal(wordsOf(gateOf(scene)), name);
    scene.connect({ ...cart, spiffeId: "spiffe://td/ns/shop/sa/pay" });
    assert.equal(wordsOf(gateOf(scene)), name);
    scene.connect(cart);
    assert.equal(wordsOf(gateOf(scene)), "open");
    assert.equal(gateOf(scene).evidence.total, 3);
  });

  it("is confirmed by its node agent's stream while that speaks for it", () => {
    const scene = new RollScene();
    scene.owners.add(leaf({ agent: "node/n1" }));
    scene.connect(node, [], present, { isNodeAgent: true });
    const name = `agent/node/n1@${cart.spiffeId}`;
    assert.equal(wordsOf(gateOf(scene)), `${name} not-acknowledged`);
    const speaksFor = (agent: { readonly reporter: Reporter }, identity: string): boolean =>
      agent.reporter === node && identity === cart.spiffeId;
    assert.equal(wordsOf(gateOf(scene, { speaksFor })), "open");
    scene.roll.disconnected(node, NOW_MS);
    assert.match(wordsOf(gateOf(scene, { speaksFor })), new RegExp(`${name} not-connected`));
  });

  it("is not confirmed by an agent that only has the name of a node's", () => {
    const scene = new RollScene();
    scene.owners.add(leaf({ agent: "node/n1" }));
    scene.connect(node);
    const gate = gateOf(scene, { speaksFor: () => true });
    assert.equal(wordsOf(gate), `agent/node/n1@${cart.spiffeId} never-connected`);
  });

  it("is not confirmed by a node's agent that only has the name of its own", () => {
    const scene = new RollScene();
    scene.owners.add(leaf({ agent: "n1" }));
    scene.connect(node, [], present, { isNodeAgent: true });
    const gate = gateOf(scene, { speaksFor: () => true });
    assert.equal(wordsOf(gate), `agent/n1@${cart.spiffeId} never-connected`);
  });

  it("without an agent is confirmed, weakly, by a reply since the bundle was published", () => {
    const scene = new RollScene();
    for (const outcome of ["unknown", "open"] as const) {
      scene.owners.add(leaf({ intentIndex: 100, outcome }));
      assert.notEqual(wordsOf(gateOf(scene)), "open", outcome);
    }
    scene.owners.add(leaf({ intentIndex: 100 }));
    const { evidence } = gateOf(scene);
    assert.deepEqual(evidence, { total: 1, confirmed: 1, weak: 1, waived: 0 });
    assert.equal(wordsOf(gateOf(scene, { cutIndex: 101 })), "leaf/5a01 not-renewed");
  });

  it("without an agent is the certificate alone: another one may be another client's of the same pod", () => {
    const scene = new RollScene();
    scene.owners.add(leaf({ serialHex: "5a01", intentIndex: 99 }));
    scene.owners.add(leaf({ serialHex: "5a02", intentIndex: 100 }));
    const gate = gateOf(scene);
    assert.equal(wordsOf(gate), "leaf/5a01 not-renewed");
    assert.equal(gate.kind === "closed" && gate.opensAtMs, inMs(hourMs) + 1_000);
    assert.equal(gate.evidence.confirmed, 1);
  });
});

describe("what nobody can know", () => {
  it("holds the gate: the log is not read, the bundle is not out", () => {
    const scene = new RollScene();
    const gate = gateOf(scene, { cutIndex: undefined });
    assert.equal(wordsOf(gate), "server/publishing rebuilding");
    const waived = new Set(["server/publishing"]);
    assert.equal(gateOf(scene, { cutIndex: undefined, waived }).kind, "closed");
  });

  it("holds the gate by class until it is waived", () => {
    const scene = new RollScene();
    scene.connect(cart);
    scene.report(cart, [], present, 3);
    const classes = ["files", "bundle-endpoint", "workload-api"];
    assert.equal(
      wordsOf(gateOf(scene, { classes })),
      "class/bundle-endpoint unobservable, class/files unobservable, class/workload-api unobservable",
    );
    const waived = new Set(classes.map((name) => `class/${name}`));
    assert.deepEqual(gateOf(scene, { classes, waived }), {
      kind: "open",
      evidence: { total: 4, confirmed: 1, weak: 0, waived: 3 },
    });
    assert.equal(wordsOf(gateOf(scene, {})), "class/workload-api unobservable");
  });

  it("holds the gate until what a restored log has lost has expired", () => {
    const gate = gateOf(new RollScene(), { lostUntilMs: inMs(hourMs) });
    assert.equal(wordsOf(gate), "class/lost-owners perhaps-signed");
    const after = gateOf(new RollScene(), { lostUntilMs: NOW_MS - 1_000 });
    assert.equal(after.kind, "open");
  });
});

describe("a waiver", () => {
  it("passes over whom it names, and nobody else", () => {
    const scene = new RollScene();
    scene.connect(cart, [envoy("p1", former), envoy("p2", former)], former);
    scene.owners.add(leaf());
    const waived = new Set([proxyName, agentName, "leaf/5a01"]);
    const gate = gateOf(scene, { waived });
    assert.equal(wordsOf(gate), `proxy/p2@${cart.spiffeId} old-bundle`);
    assert.deepEqual(gate.evidence, { total: 4, confirmed: 0, weak: 0, waived: 3 });
  });
});

describe("a closed gate", () => {
  it("names so many as are asked for, the same ones each time, and counts all", () => {
    const scene = new RollScene();
    const proxies = Array.from({ length: 30 }, (_, index) => envoy(`p${index}`, former));
    scene.connect(cart, proxies);
    const gate = verifierGate(scene.view(), NOW_MS, 5);
    assert.equal(laggardsOf(gate).length, 5);
    assert.equal(gate.kind === "closed" && gate.lagging, 30);
    assert.deepEqual(verifierGate(scene.view(), NOW_MS, 5), gate);
    assert.equal(laggardsOf(verifierGate(scene.view(), NOW_MS, 0)).length, 1);
  });

  it("names first who does not end by itself, then the last to end", () => {
    const scene = new RollScene();
    scene.connect(cart, [envoy("p1", former)], present);
    scene.owners.add(leaf({ agent: "a7", notAfterMs: inMs(2 * hourMs) }));
    scene.owners.add(leaf({ notAfterMs: inMs(hourMs) }));
    scene.owners.add(leaf({ agent: "a9", notAfterMs: inMs(3 * hourMs) }));
    const gate = gateOf(scene);
    assert.deepEqual(
      laggardsOf(gate).map(({ name }) => name),
      [proxyName, `agent/a9@${cart.spiffeId}`, `agent/a7@${cart.spiffeId}`, "leaf/5a01"],
    );
    assert.deepEqual(
      laggardsOf(verifierGate(scene.view(), NOW_MS, 2)),
      laggardsOf(gate).slice(0, 2),
    );
  });

  it("waits for those for whom there was no room, and says that, until they have ended", () => {
    const owners = new LeafOwners(1);
    owners.add(leaf({ agent: "a7" }));
    owners.add(leaf({ agent: "a8", notAfterMs: inMs(2 * hourMs) }));
    owners.built();
    const scene = new RollScene();
    const gate = gateOf(scene, { owners }, inMs(hourMs) + 1_000);
    assert.equal(wordsOf(gate), "server/too-many-owners too-many");
    assert.equal(wordsOf(gateOf(scene, { owners }, inMs(2 * hourMs) + 1_000)), "open");
  });

  it("names those of an identity that are too many by one name, which can be waived", () => {
    const scene = new RollScene();
    const most = ownersPerIdentityMax;
    for (let at = 0; at < most + 5; at++) scene.owners.add(leaf({ agent: `made-up-${at}` }));
    scene.owners.add(leaf({ agent: "b1", identity: "spiffe://td/other" }));
    const gate = verifierGate(scene.view(), NOW_MS, most + 10);
    assert.equal(gate.kind === "closed" && gate.lagging, most + 2);
    const rest = laggardsOf(gate).find(({ kind }) => kind === "agents");
    assert.deepEqual([rest?.name, rest?.reason], [`agents/others@${cart.spiffeId}`, "too-many"]);
    const waived = new Set([rest?.name ?? ""]);
    assert.equal(gateOf(scene, { waived }).evidence.waived, 1);
    scene.owners.prune(inMs(3 * hourMs));
    assert.equal([...scene.owners.entries()].length, 0);
  });

  it("does not say when it opens if one of them does not end by itself", () => {
    const scene = new RollScene();
    scene.connect(cart, [envoy("p1", former)]);
    scene.owners.add(leaf());
    const gate = gateOf(scene);
    assert.equal(gate.kind === "closed" && gate.lagging, 2);
    assert.ok(gate.kind === "closed" && gate.opensAtMs === undefined);
  });

  it("says of one that is connected and frozen how long it has said nothing of the bundle", () => {
    const scene = new RollScene();
    scene.connect(cart, [envoy("p1", former)], former);
    const detailsAt = (nowMs: number, sentMs: number): readonly string[] =>
      laggardsOf(verifierGate(scene.view({ sentMs }), nowMs, 10)).map(({ detail }) => detail);
    const said = [
      "what it holds itself is not the present bundle",
      "ROOTCA is not the present bundle",
    ];
    const silence = "; not heard of since the bundle was sent, 12s ago";
    assert.deepEqual(
      detailsAt(inMs(13_000), inMs(1_000)),
      said.map((each) => each + silence),
    );
    assert.deepEqual(
      detailsAt(inMs(13_000), NOW_MS),
      said,
      "it has said that it holds another one",
    );
    assert.deepEqual(detailsAt(inMs(1_500), inMs(1_000)), said, "it is about to");
  });

  it("believes no clock to be more than an hour off", () => {
    const scene = new RollScene();
    scene.connect(cart, [], present, { skewMs: -1e15 });
    assert.equal(scene.roll.maxSkewMs, hourMs);
  });
});
