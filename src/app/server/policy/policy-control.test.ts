import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { workloadOf } from "../../../../test/support/policy-objects.ts";
import { news, said, sessionOf, whole } from "../../../../test/support/reported-policies.ts";
import { cluster } from "../../../../test/support/rollout-policies.ts";
import { emptyPolicy } from "../../../core/policy/proxy-policy.ts";
import type { LeafOwner } from "../../../core/roll/leaf-owners.ts";
import { encodePolicy } from "../../../edge/rpc/policy-messages.ts";
import { digestOfPolicy } from "./encoded-policies.ts";
import type { GonePodsView } from "../kube/configuration/gone-pods.ts";
import { PolicyControl } from "./policy-control.ts";

const trustDomain = "mesh.example";
const idOf = (sa: string): string => `spiffe://${trustDomain}/ns/shop/sa/${sa}`;
const web = workloadOf("shop/web-0", { serviceAccount: "web" });
const ofWeb = { spiffeId: idOf("web"), agentId: "a" };
const ofNode = { spiffeId: idOf("node"), agentId: "n" };

function ownerOf(identity: string, agent: string): LeafOwner {
  const ofLeaf = { serialHex: "01", notAfterMs: 9e12, lastIndex: 0, signedIndex: 0 };
  return { identity, isRest: false, agent, ...ofLeaf };
}

function rig(
  t: TestContext,
  owners: readonly LeafOwner[],
  entries = [web],
  isKnown: () => boolean = () => true,
  gonePods?: GonePodsView,
) {
  t.mock.timers.enable({ apis: ["setInterval"] });
  let now = 0;
  const events: string[] = [];
  const asked: string[] = [];
  const control = new PolicyControl({
    trustDomain,
    isKnown,
    gonePods,
    events: {
      policyRefused: () => void events.push("refused"),
      policyTooLarge: () => void events.push("too-large"),
      policyDropped: (_, spiffeId) => void events.push(`dropped ${spiffeId}`),
    },
    owners: () => ({ isBuilt: true, all: () => owners }),
    nodeAgents: () => new Set([ofNode.spiffeId]),
    newestNotAfterMs: (spiffeId) => {
      asked.push(spiffeId);
      return 9e12;
    },
    provenNowMs: () => now,
    nowMs: () => now,
  });
  t.after(() => control[Symbol.dispose]());
  control.change(
    entries.map((object) => ({ kind: "WorkloadEntry" as const, object })),
    [],
  );
  const look = (afterMs: number): void => {
    now += afterMs;
    t.mock.timers.tick(2_000);
  };
  return { control, events, asked, look, keys: () => [...control.proxies.all()] };
}

const webByNode = said("web-0", { spiffeId: idOf("web") });

describe("a name that is waited for", () => {
  it("is not ended by a proxy of another service account", (t) => {
    const evil = { spiffeId: idOf("evil"), agentId: "e" };
    const { control } = rig(t, [ownerOf(idOf("web"), "a"), ownerOf(idOf("evil"), "e")]);
    control.take(sessionOf(evil.spiffeId), evil, whole(said("web-0")));
    assert.equal(control.isWaiting, true);
  });

  it("is not ended by another agent of its identity", (t) => {
    const { control } = rig(t, [ownerOf(idOf("web"), "a"), ownerOf(idOf("web"), "b")]);
    control.take(sessionOf(idOf("web")), { ...ofWeb, agentId: "b" }, whole(said("web-0")));
    assert.equal(control.isWaiting, true);
    control.take(sessionOf(idOf("web")), ofWeb, whole(said("web-0")));
    assert.equal(control.isWaiting, false);
  });

  it("is ended by a node agent when what it says counts", (t) => {
    const { control } = rig(t, [ownerOf(idOf("web"), "node/n")]);
    let isProven = false;
    const session = sessionOf(ofNode.spiffeId, { has: () => isProven });
    session.reporter = ofNode;
    control.take(session, ofNode, whole(webByNode));
    assert.equal(control.isWaiting, true);
    const asProven = { reporter: ofNode, spiffeId: idOf("web"), proxyId: "web-0" };
    assert.deepEqual(control.proxies.listenersOf(session, asProven), { kind: "unknown" });
    control.proven(session);
    assert.equal(control.isWaiting, true, "other tokens came");
    isProven = true;
    control.proven(session);
    assert.equal(control.isWaiting, false);
  });
});

describe("while it is not known who is there", () => {
  it("nobody is told anything new, and everybody is when it is", async (t) => {
    let isKnown = false;
    const { control, keys, look } = rig(t, [], [web], () => isKnown);
    const session = sessionOf(idOf("web"));
    control.take(session, ofWeb, whole(said("web-0")));
    await turn();
    look(2_000);
    await turn();
    assert.equal(keys()[0]?.sent, undefined);
    isKnown = true;
    look(2_000);
    await turn();
    assert.notEqual(keys()[0]?.sent, undefined);
  });
});

describe("what an agent tells of its proxies", () => {
  it("begins once on a stream", (t) => {
    const { control, keys } = rig(t, []);
    const session = sessionOf(idOf("web"));
    control.take(session, ofWeb, whole(said("p")));
    assert.throws(() => control.take(session, ofWeb, whole(said("q"))), /one full report/);
    control.closed(session);
    assert.deepEqual(
      keys().map(({ said, session }) => [said.proxyId, session]),
      [["p", undefined]],
    );
  });

  it("answers no more than was sent on its stream", async (t) => {
    const { control, keys } = rig(t, []);
    const session = sessionOf(idOf("web"));
    const answers = (assignmentsAnswered: number) => said("p", { assignmentsAnswered });
    const tooMany = { code: "mesh-policy-malformed", message: /at most \d assignments, got [12]$/ };
    assert.throws(() => control.take(session, ofWeb, whole(said("q"), answers(1))), tooMany);
    assert.deepEqual(keys(), []);
    control.take(session, ofWeb, whole(answers(0)));
    await turn();
    await turn();
    assert.equal(keys()[0]?.sent?.at, 1);
    control.take(session, ofWeb, news(answers(1)));
    assert.throws(() => control.take(session, ofWeb, news(answers(2))), tooMany);
    control.closed(session);
    const next = sessionOf(idOf("web"));
    assert.throws(() => control.take(next, ofWeb, whole(answers(1))), tooMany);
  });

  it("counts for as many as there is room for, and is waited for beyond", async (t) => {
    const { control, events, keys, look } = rig(t, [ownerOf(idOf("web"), "a")]);
    const session = sessionOf(idOf("web"));
    control.take(session, ofWeb, whole());
    await turn();
    assert.equal(control.isWaiting, false);
    const many = Array.from({ length: 1_000 }, (_, i) => said(`p${i}`));
    control.take(session, ofWeb, news(...many));
    control.take(session, ofWeb, news(said("one-more")));
    assert.deepEqual([keys().length, events], [256, [`dropped ${idOf("web")}`]]);
    assert.equal(control.isWaiting, true);
    control.take(session, ofWeb, { ...news(), gone: many.map(({ proxyId }) => proxyId) });
    assert.equal(keys().length, 256, "it may come back");
    look(60_000);
    assert.equal(keys().length, 0);
    control.take(session, ofWeb, news(said("one-more")));
    assert.equal(keys().length, 1);
  });

  it("keeps a known proxy whose token does not count any more", async (t) => {
    const { control, keys, look } = rig(t, []);
    const first = sessionOf(ofNode.spiffeId, { has: () => true });
    control.take(first, ofNode, whole(webByNode));
    control.closed(first);
    control.take(sessionOf(ofNode.spiffeId, { has: () => false }), ofNode, whole(webByNode));
    look(61_000);
    assert.deepEqual(
      keys().map(({ goneSinceMs }) => goneSinceMs),
      [undefined],
    );
  });

  it("keeps one that was gone and comes back with a token that does not count", (t) => {
    const { control, keys, look } = rig(t, []);
    let isProven = true;
    const session = sessionOf(ofNode.spiffeId, { has: () => isProven });
    control.take(session, ofNode, whole(webByNode));
    const name = `${idOf("web")} web-0`;
    control.take(session, ofNode, { ...news(), gone: [name] });
    assert.equal(keys()[0]?.goneSinceMs, 0);
    isProven = false;
    control.take(session, ofNode, news(webByNode));
    look(61_000);
    assert.equal(keys().length, 1);
  });

  it("costs each proxy once, however many are gone", (t) => {
    const { control, keys } = rig(t, [], []);
    const session = sessionOf(ofNode.spiffeId, { has: () => true });
    const proxies = Array.from({ length: 4_096 }, (_, i) =>
      said(`p${i}`, { spiffeId: idOf(`sa${i}`) }),
    );
    control.take(session, ofNode, whole(...proxies));
    assert.equal(keys().length, 4_096);
    const startMs = performance.now();
    control.take(session, ofNode, { ...news(), gone: proxies.map((_, i) => `x${i}`) });
    assert.ok(performance.now() - startMs < 50);
  });
});

it("says once that a policy is too large", async (t) => {
  const { control, events, keys } = rig(t, [], []);
  const session = sessionOf(idOf("web"));
  control.take(session, ofWeb, whole(said("p")));
  await turn();
  const key = keys()[0]?.identity.key ?? "";
  const clusters = Array.from({ length: 3_000 }, (_, i) => cluster(`h${i}.example.com`, "mtls"));
  control.rollout.target(key, { desired: { ...emptyPolicy, clusters }, address: undefined });
  const applied = { digest: digestOfPolicy(emptyPolicy), octets: undefined };
  for (let i = 1; i <= 5; i++) {
    const answer = { applied, assignmentsAnswered: 1 };
    control.take(session, ofWeb, news(said("p", { ...answer, draining: new Map([[80, i]]) })));
    await turn();
    await turn();
  }
  assert.deepEqual([events, control.rollout.stage(key)], [["too-large"], "refused"]);
});

it("says once what a proxy has refused, also by turns", (t) => {
  const { control, events } = rig(t, [], []);
  const session = sessionOf(idOf("web"));
  control.take(session, ofWeb, whole(said("p")));
  for (let i = 0; i < 6; i++) {
    const policy = { ...emptyPolicy, clusters: [cluster(`h${i % 2}.example.com`, "mtls")] };
    const octets = encodePolicy(policy);
    const of = { digest: digestOfPolicy(policy), octets, detail: "no", resources: [] };
    control.take(session, ofWeb, news(said("p", { nack: { ...of, isPartial: false } })));
    control.take(session, ofWeb, news(said("p")));
  }
  assert.deepEqual(events, ["refused", "refused"]);
});

it("a proxy of a pod that is gone is no more when its own agent's certificates have ended, whoever else has its identity", (t) => {
  const gone = { absence: "pod-gone", absentUntilMs: 9_000 } as const;
  const hasEnded = (key: string, nowMs: number): boolean =>
    key === `${idOf("web")} a ${idOf("web")} web-0` && nowMs >= 9_000;
  const { control, look, keys } = rig(t, [], [web], () => true, { of: () => gone, hasEnded });
  const session = sessionOf(ofWeb.spiffeId);
  control.take(session, ofWeb, whole(said("web-0")));
  look(9_000);
  assert.equal(keys().length, 1, "it is told of");
  control.closed(session);
  look(0);
  assert.equal(keys().length, 0);
});

it("asks once when the certificates end of those who are away", (t) => {
  const { control, asked, look } = rig(t, [], []);
  for (const agentId of ["a", "b"]) {
    const session = sessionOf(idOf("web"));
    control.take(session, { ...ofWeb, agentId }, whole(said("p")));
    control.closed(session);
  }
  look(2_000);
  look(2_000);
  assert.deepEqual(asked, [idOf("web")]);
});
