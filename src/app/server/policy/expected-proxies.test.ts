import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { LeafOwner } from "../../../core/roll/leaf-owners.ts";
import { workloadOf } from "../../../../test/support/policy-objects.ts";
import { ExpectedProxies } from "./expected-proxies.ts";
import type { OwnersView } from "./silent-owners.ts";

const trustDomain = "mesh.example";
const web = workloadOf("shop/web-0", { serviceAccount: "web" });
const webId = `spiffe://${trustDomain}/ns/shop/sa/web`;
const [a, b] = [
  { spiffeId: webId, agentId: "a" },
  { spiffeId: webId, agentId: "b" },
];
const node = { spiffeId: `spiffe://${trustDomain}/node`, agentId: "n" };
const other = { spiffeId: `spiffe://${trustDomain}/other-node`, agentId: "n" };
const nothing = { unproven: [], dropped: [] };
const ofWeb = { unproven: [webId], dropped: [] };

function ownerOf(agent: string, more: Partial<LeafOwner> = {}): LeafOwner {
  return {
    identity: webId,
    isRest: false,
    agent,
    serialHex: "01",
    notAfterMs: 1,
    lastIndex: 0,
    signedIndex: 0,
    ...more,
  };
}

function rig(owners: LeafOwner[] | (() => OwnersView)) {
  let now = 0;
  const view =
    typeof owners === "function" ? owners : () => ({ isBuilt: true, all: () => [...owners] });
  const nodeAgents = () => new Set([node.spiffeId, other.spiffeId]);
  const clocks = { nowMs: () => now, provenNowMs: () => now };
  const dependencies = { trustDomain, owners: view, nodeAgents, ...clocks };
  const there = new Set<string>();
  const proxies = new ExpectedProxies(dependencies, {
    come: ({ key }) => void there.add(key),
    went: (key) => void there.delete(key),
  });
  const names = (): string[] => {
    assert.deepEqual([...there], [...proxies.all().keys()]);
    return Array.from(proxies.all().values(), ({ nodeId }) => nodeId);
  };
  const look = (afterMs = 0): string[] => {
    now += afterMs;
    proxies.look();
    return names();
  };
  proxies.set(web);
  return { proxies, look, names };
}

test("expects every workload with an identity until the log has been read, whoever tells of it", () => {
  let isBuilt = false;
  const { proxies, look } = rig(() => ({ isBuilt, all: () => [] }));
  proxies.told(webId, "web-0", a);
  proxies.heard(a, false, nothing);
  assert.deepEqual(look(), ["web-0"]);
  isBuilt = true;
  assert.deepEqual(look(), []);
});

test("expects nobody whose identity has no certificate of an agent that was not heard", () => {
  assert.deepEqual(rig([]).look(), []);
  assert.deepEqual(rig([ownerOf("")]).look(), []);
  const heard = rig([ownerOf("a")]);
  heard.proxies.heard(a, false, nothing);
  assert.deepEqual(heard.look(), []);
  const ofNode = rig([ownerOf("node/n")]);
  assert.deepEqual(ofNode.look(), ["web-0"]);
  ofNode.proxies.heard(node, true, nothing);
  assert.deepEqual(ofNode.names(), []);
});

for (const [name, owners] of [
  ["an agent that was not heard", [ownerOf("other")]],
  ["one of two agents that was not heard", [ownerOf("a"), ownerOf("other")]],
  ["owners that are too many to be told apart", [ownerOf("", { isRest: true })]],
  ["a node agent that was not heard", [ownerOf("node/n")]],
  ["a node agent, not heard, whose name an agent has", [ownerOf("node/a")]],
] as const) {
  test(`waits for ${name}`, () => {
    const { proxies, look } = rig([...owners]);
    proxies.heard(a, false, nothing);
    assert.deepEqual(look(), ["web-0"]);
  });
}

test("waits while there are owners for whom there was no room", () => {
  const { look } = rig(() => ({ isBuilt: true, missedUntilMs: 1_000, all: () => [] }));
  assert.deepEqual([look(), look(3_600_000), look(3_600_000)], [["web-0"], ["web-0"], []]);
});

test("a name ends the waiting only from the only agent that can have it", () => {
  const alone = rig([ownerOf("a")]);
  alone.look();
  alone.proxies.told(`spiffe://${trustDomain}/ns/shop/sa/evil`, "web-0", {
    spiffeId: `spiffe://${trustDomain}/ns/shop/sa/evil`,
    agentId: "a",
  });
  assert.deepEqual(alone.names(), ["web-0"], "another identity's");
  alone.proxies.told(webId, "web-0", a);
  assert.deepEqual(alone.names(), []);
  alone.proxies.left(webId, "web-0", a);
  assert.deepEqual(alone.names(), ["web-0"]);

  const twins = rig([ownerOf("a"), ownerOf("b")]);
  twins.look();
  twins.proxies.told(webId, "web-0", b);
  twins.proxies.heard(b, false, nothing);
  assert.deepEqual(twins.names(), ["web-0"], "the other one's may be running");
  twins.proxies.heard(a, false, nothing);
  assert.deepEqual(twins.names(), []);
});

test("a node agent is heard of those only whose proxies count", () => {
  const { proxies, look, names } = rig([ownerOf("node/n")]);
  proxies.heard(node, true, ofWeb);
  assert.deepEqual(look(), ["web-0"]);
  proxies.heard(node, true, nothing);
  assert.deepEqual(names(), []);
});

test("an identity of which something was dropped is waited for, also once everybody was heard", () => {
  const owners = [ownerOf("a")];
  const { proxies, look, names } = rig(owners);
  proxies.heard(a, false, nothing);
  assert.deepEqual(look(), []);
  proxies.heard(a, false, { unproven: [], dropped: [webId] });
  assert.deepEqual([names(), look()], [["web-0"], ["web-0"]]);
  proxies.heard(a, false, nothing);
  assert.deepEqual(names(), []);
  proxies.heard(a, false, { unproven: [], dropped: [webId] });
  owners.length = 0;
  assert.deepEqual(look(30_001), [], "its certificates have ended");
});

test("a node agent is heard by itself, not by another one that calls itself so", () => {
  const owners = [
    ownerOf("node/n"),
    ownerOf("n", { identity: node.spiffeId }),
    ownerOf("n", { identity: other.spiffeId }),
  ];
  const { proxies, look, names } = rig(owners);
  proxies.heard(other, true, nothing);
  assert.deepEqual(look(), ["web-0"]);
  proxies.heard(node, true, ofWeb);
  proxies.heard(other, true, nothing);
  assert.deepEqual(names(), ["web-0"], "nor does it end what the other one has missed");
  proxies.heard(node, true, nothing);
  assert.deepEqual(names(), []);
});

test("what was dropped is waited for, also where the log does not name the agent", () => {
  const { proxies, look } = rig([ownerOf("b")]);
  proxies.heard(b, false, nothing);
  assert.deepEqual(look(), []);
  const dropped = { unproven: [], dropped: [webId] };
  proxies.heard(a, false, dropped);
  assert.deepEqual([look(), look(30_000), look(30_000)], [["web-0"], ["web-0"], ["web-0"]]);
  proxies.heard(a, false, nothing);
  assert.deepEqual(look(), []);
});

test("goes through the owners rarely, whoever drops something, once everybody was heard", () => {
  let passes = 0;
  const { proxies, look } = rig(() => ({ isBuilt: true, all: () => (passes++, []) }));
  look();
  for (let i = 0; i < 15; i++) {
    proxies.heard(a, false, { unproven: [], dropped: [webId] });
    look(2_000);
  }
  assert.equal(passes, 2);
});

test("whoever gets a certificate later is not waited for", () => {
  const owners = [ownerOf("a")];
  const { proxies, look } = rig(owners);
  proxies.heard(a, false, nothing);
  look();
  owners.push(ownerOf("b"));
  assert.deepEqual(look(60_000), []);
});

test("goes through the owners rarely, and not for nobody", () => {
  let passes = 0;
  const { proxies, look } = rig(() => ({ isBuilt: true, all: () => (passes++, [ownerOf("b")]) }));
  for (let i = 0; i < 10; i++) look(2_000);
  assert.equal(passes, 1);
  proxies.delete(web.ref);
  assert.deepEqual([look(60_000), passes], [[], 1]);
});

test("expects nobody without an identity, and a workload by the one that it has now", () => {
  const { proxies, look, names } = rig([ownerOf("a")]);
  proxies.set(workloadOf("shop/bare", { serviceAccount: "" }));
  assert.deepEqual(look(), ["web-0"]);
  proxies.set(workloadOf("shop/web-0", { serviceAccount: "other" }));
  assert.deepEqual(names(), []);
});

describe("agents whose certificates name their pods", () => {
  const pods = (...names: readonly [agent: string, pod: string][]) =>
    names.map(([agent, pod]) => ownerOf(agent, { pod }));
  const podOf = (name: string) => {
    const { ref, ...rest } = workloadOf(`shop/${name}`, { serviceAccount: "web" });
    return { ...rest, ref: { ...ref, standsFor: { kind: "Pod", name } as const } };
  };
  const rigOf: typeof rig = (owners) => {
    const made = rig(owners);
    made.proxies.set(podOf("web-0"));
    return made;
  };

  test("are waited for by their own pods' names only", () => {
    const { proxies, look, names } = rigOf(pods(["a", "web-0"], ["b", "web-1"]));
    proxies.told(webId, "web-0", a);
    proxies.heard(a, false, nothing);
    assert.deepEqual(look(), ["web-1"], "whose pod is there no more");
    proxies.set(podOf("web-1"));
    assert.deepEqual(names(), ["web-1"]);
    proxies.delete({ kind: "WorkloadEntry", namespace: "shop", name: "web-1" });
    assert.deepEqual(names(), ["web-1"]);
    proxies.told(webId, "web-1", b);
    assert.deepEqual(names(), []);
    proxies.heard(b, false, nothing);
    assert.deepEqual(look(30_000), []);
  });

  test("are waited for no more when their certificates have ended", () => {
    const owners = pods(["a", "web-0"], ["b", "web-1"]);
    const { proxies, look } = rigOf(() => ({ isBuilt: true, all: () => owners }));
    proxies.heard(a, false, nothing);
    assert.deepEqual(look(), ["web-1"]);
    owners.pop();
    assert.deepEqual(look(30_000), []);
  });

  test("are waited for while the configuration has somebody of their identity", () => {
    const { proxies, look, names } = rigOf(pods(["a", "web-0"], ["b", "web-1"]));
    assert.deepEqual(look(), ["web-0", "web-1"]);
    proxies.delete(web.ref);
    assert.deepEqual(names(), []);
  });

  test("do not end the waiting for one of whom no pod is known", () => {
    const { proxies, look } = rigOf([...pods(["a", "web-0"]), ownerOf("b")]);
    proxies.told(webId, "web-0", a);
    proxies.heard(a, false, nothing);
    assert.deepEqual(look(), ["web-0"]);
    proxies.heard(b, false, nothing);
    assert.deepEqual(look(), []);
  });

  test("are two where a name comes again", () => {
    const { proxies, look, names } = rigOf(pods(["a", "web-0"], ["b", "web-0"]));
    proxies.told(webId, "web-0", a);
    proxies.heard(a, false, nothing);
    assert.deepEqual(look(), ["web-0"]);
    proxies.heard(b, false, nothing);
    assert.deepEqual(names(), []);
  });

  test("may have any name that somebody has written", () => {
    const { proxies, look, names } = rig(pods(["a", "web-7"], ["b", "web-8"]));
    proxies.told(webId, "web-0", a);
    proxies.heard(a, false, nothing);
    assert.deepEqual(look(), ["web-0"]);
    proxies.heard(b, false, nothing);
    assert.deepEqual(names(), []);
  });

  test("are told apart in any order, beside names that somebody has written", () => {
    for (const order of [
      [a, b],
      [b, a],
    ]) {
      const { proxies, look, names } = rig(pods(["a", "web-1"], ["b", "web-2"]));
      proxies.set(podOf("web-1"));
      assert.deepEqual(look().toSorted(), ["web-0", "web-1", "web-2"]);
      for (const each of order) proxies.heard(each, false, nothing);
      assert.deepEqual([names(), look(30_000)], [[], []]);
    }
  });
});
