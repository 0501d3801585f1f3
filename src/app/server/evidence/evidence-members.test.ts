import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { workloadOf } from "../../../../test/support/policy-objects.ts";
import type { ReportedPolicy } from "../../../core/policy/policy-report.ts";
import type { WorkloadEntry } from "../../../core/resources/workload-entry.ts";
import { SpiffeId } from "../../../core/spiffe/id.ts";
import type { GoneChange, MemberChange } from "../../../edge/evidence/evidence-change.ts";
import type { OpenMember } from "../../../edge/evidence/evidence-protocol.ts";
import type { Session } from "../mesh/mesh-session.ts";
import { PolicyControl } from "../policy/policy-control.ts";
import { EvidenceMembers } from "./evidence-members.ts";

const trustDomain = "mesh.example";
const idOf = (sa: string): string => `spiffe://${trustDomain}/ns/shop/sa/${sa}`;
const web = { spiffeId: idOf("web"), agentId: "a" };
const node = { spiffeId: idOf("node"), agentId: "n" };
const keyOfWeb = (proxyId: string): string => `${idOf("web")} a ${idOf("web")} ${proxyId}`;

/** Behind the policy that tells it. @param left by the last life of the server */
function rig(t: TestContext, left: readonly OpenMember[] = []) {
  t.mock.timers.enable({ apis: ["setInterval"] });
  let now = 1_000;
  const notes: (MemberChange | GoneChange)[] = [];
  const presences: string[] = [];
  const entries = new Map<string, WorkloadEntry>();
  const ends = new Map<string, number>();
  const members = new EvidenceMembers(
    {
      note: (change) => void notes.push(change),
      entryOf: (namespace, name) => entries.get(`${namespace}/${name}`),
      onPresence: (namespace, name) => void presences.push(`${namespace}/${name}`),
      nowMs: () => now,
    },
    left,
  );
  const control = new PolicyControl({
    trustDomain,
    events: { policyRefused: () => {}, policyTooLarge: () => {}, policyDropped: () => {} },
    watch: members,
    nodeAgents: () => new Set<string>(),
    owners: () => ({ isBuilt: true, all: () => [] }),
    newestNotAfterMs: (spiffeId) => ends.get(spiffeId) ?? 9e12,
    provenNowMs: () => now,
    nowMs: () => now,
  });
  t.after(() => control[Symbol.dispose]());
  const look = (afterMs: number): void => {
    now += afterMs;
    t.mock.timers.tick(2_000);
  };
  const setEntry = (entry: WorkloadEntry): void => {
    const { ref } = entry;
    entries.set(`${ref.namespace}/${ref.name}`, entry);
    members.entryChanged(ref.namespace, ref.name);
  };
  const said = () =>
    notes.splice(0).map((each) => {
      if (each.kind === "gone") return `gone ${each.proxy} ${each.atMs}`;
      return `${each.proxy} ${each.namespace}/${each.name} ${each.labels} ${each.atMs}`;
    });
  return { members, control, look, said, presences, setEntry, ends };
}

function sessionOf(id: string, spokenFor?: { readonly has: (id: string) => boolean }): Session {
  const peer = { id: SpiffeId.parse(id) };
  return { call: { write: () => true }, peer, spokenFor, wantsPolicy: true } as unknown as Session;
}

function told(proxyId: string, more: Partial<ReportedPolicy> = {}): ReportedPolicy {
  const none = { spiffeId: undefined, labels: new Map(), applied: undefined, nack: undefined };
  const rest = { isUnsure: false, draining: new Map(), oldConnections: "unobserved" as const };
  return { proxyId, ...none, ...rest, hasListeners: true, assignmentsAnswered: 0, ...more };
}

const whole = (...proxies: readonly ReportedPolicy[]) => ({
  full: true,
  complete: true,
  proxies,
  gone: [],
});
const news = (...proxies: readonly ReportedPolicy[]) => ({
  ...whole(...proxies),
  full: false,
  complete: false,
});

function leftOf(proxyId: string, more: Partial<OpenMember> = {}): OpenMember {
  const named = { spiffeId: idOf("web"), name: `shop/${proxyId}`, labels: new Map() };
  const key = { key: "1", proxy: keyOfWeb(proxyId), reporter: `${idOf("web")} a` };
  return { ...key, ...named, bornMs: 0, goneMs: undefined, ...more };
}

describe("a member", () => {
  it("is there when policy is told of it, once, and gone when it does not come back", (t) => {
    const { control, look, said, members } = rig(t);
    const session = sessionOf(idOf("web"));
    control.take(session, web, whole(told("w")));
    control.take(session, web, news(told("w")));
    assert.deepEqual(said(), [`${keyOfWeb("w")} shop/w [] 1000`]);
    assert.equal(members.isThere("shop", "w", idOf("web")), true);
    control.take(session, web, { ...news(), gone: ["w"] });
    look(59_999);
    assert.deepEqual(said(), []);
    look(1);
    assert.deepEqual(said(), [`gone ${keyOfWeb("w")} 1000`]);
    assert.equal(members.isThere("shop", "w", idOf("web")), false);
  });

  it("is not gone while its agent is away", (t) => {
    const { control, look, said } = rig(t);
    const session = sessionOf(idOf("web"));
    control.take(session, web, whole(told("w")));
    control.closed(session);
    said();
    look(3_600_000);
    assert.deepEqual(said(), []);
  });

  it("is gone when its agent is away and its certificates have ended", (t) => {
    const { control, look, said, ends } = rig(t);
    ends.set(idOf("web"), 5_000);
    const session = sessionOf(idOf("web"));
    control.take(session, web, whole(told("w")));
    control.closed(session);
    said();
    look(9_000);
    assert.deepEqual(said(), [`gone ${keyOfWeb("w")} 10000`]);
  });

  it("ends with its agent's goodbye", (t) => {
    const { control, said } = rig(t, [leftOf("old")]);
    control.take(sessionOf(idOf("web")), web, news(told("w")));
    said();
    control.goodbye(web);
    assert.deepEqual(said(), [`gone ${keyOfWeb("w")} 1000`, `gone ${keyOfWeb("old")} 1000`]);
  });

  it("has the labels of its WorkloadEntry, also where that changes, and else those that it claims", (t) => {
    const { control, said, setEntry } = rig(t);
    const labels = new Map([["app", "claimed"]]);
    control.take(sessionOf(idOf("web")), web, whole(told("w", { labels })));
    setEntry(workloadOf("shop/w", { serviceAccount: "web", labels: new Map([["app", "web"]]) }));
    setEntry(workloadOf("shop/w", { serviceAccount: "web", labels: new Map([["app", "web"]]) }));
    setEntry(workloadOf("shop/w", { serviceAccount: "other", labels: new Map([["app", "web"]]) }));
    assert.deepEqual(
      said().map((line) => line.split(" ").at(-2)),
      ['[["app","claimed"]]', '[["app","web"]]', '[["app","claimed"]]'],
    );
  });
});

describe("a member from before the server's start", () => {
  it("is there until its agent has told all, and not of it", (t) => {
    const { control, look, said, members } = rig(t, [leftOf("old"), leftOf("kept")]);
    assert.equal(members.isThere("shop", "old", idOf("web")), true);
    look(3_600_000);
    control.take(sessionOf(idOf("web")), web, { ...whole(told("kept")), complete: false });
    look(60_000);
    // That it has no labels was not said before.
    assert.deepEqual(said(), [`${keyOfWeb("kept")} shop/kept [] 3601000`]);
    control.take(sessionOf(idOf("web")), web, whole(told("kept")));
    look(60_000);
    assert.deepEqual(said(), [`gone ${keyOfWeb("old")} 3661000`]);
  });

  it("is there while its node agent has not shown its token", (t) => {
    const proxy = `${idOf("node")} n ${idOf("web")} old`;
    const { control, look, said } = rig(t, [
      leftOf("old", { proxy, reporter: `${idOf("node")} n` }),
    ]);
    let isProven = false;
    const session = sessionOf(node.spiffeId, { has: () => isProven });
    session.reporter = node;
    control.take(session, node, whole(told("another", { spiffeId: idOf("web") })));
    look(120_000);
    assert.deepEqual(said(), []);
    isProven = true;
    control.proven(session);
    look(60_000);
    const lines = said().map((line) => line.split(" ").slice(0, 5).join(" "));
    assert.deepEqual(lines, [
      `${idOf("node")} n ${idOf("web")} another shop/another`,
      `gone ${proxy}`,
    ]);
  });

  it("is there until its certificates have ended, where its agent does not come", (t) => {
    const { look, said, ends } = rig(t, [leftOf("old")]);
    ends.set(idOf("web"), 50_000);
    look(48_999);
    assert.deepEqual(said(), []);
    look(1);
    assert.deepEqual(said(), [`gone ${keyOfWeb("old")} 50000`]);
  });

  it("goes on as it was when it is told again", (t) => {
    const { control, said } = rig(t, [leftOf("old", { labels: new Map([["app", "web"]]) })]);
    const labels = new Map([["app", "web"]]);
    control.take(sessionOf(idOf("web")), web, whole(told("old", { labels })));
    assert.deepEqual(said(), []);
  });

  it("ends where its agent writes no listeners any more", (t) => {
    const { control, look, said } = rig(t, [leftOf("old")]);
    control.withoutPolicy(web, false);
    look(60_000);
    assert.deepEqual(said(), [`gone ${keyOfWeb("old")} 1000`]);
  });
});

describe("a proxy that a report tells of first", () => {
  it("is there, and gone again unless policy tells of it soon", (t) => {
    const { members, control, look, said } = rig(t);
    for (const proxyId of ["w", "x"]) {
      assert.equal(members.reported(web, idOf("web"), proxyId), keyOfWeb(proxyId));
    }
    // Its labels are not known.
    assert.deepEqual(said(), [`${keyOfWeb("w")} shop/w  1000`, `${keyOfWeb("x")} shop/x  1000`]);
    control.take(sessionOf(idOf("web")), web, whole(told("x")));
    look(60_000);
    assert.deepEqual(said(), [`${keyOfWeb("x")} shop/x [] 1000`, `gone ${keyOfWeb("w")} 1000`]);
  });

  it("has no room beyond so many of an identity at an agent", (t) => {
    const { members } = rig(t);
    const keys = Array.from({ length: 257 }, (_, at) =>
      members.reported(web, idOf("web"), `p${at}`),
    );
    assert.deepEqual(
      keys.map((key) => key !== undefined),
      [...Array.from({ length: 256 }, () => true), false],
    );
  });
});

describe("a workload", () => {
  it("is looked at when its proxies come and go", (t) => {
    const { control, presences, look } = rig(t);
    const session = sessionOf(idOf("web"));
    control.take(session, web, whole(told("w")));
    control.take(session, web, { ...news(), gone: ["w"] });
    look(60_000);
    assert.deepEqual(presences, ["shop/w", "shop/w"]);
  });
});
