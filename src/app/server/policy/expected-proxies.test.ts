import assert from "node:assert/strict";
import { test } from "node:test";
import type { LeafOwner } from "../../../core/roll/leaf-owners.ts";
import { workloadOf } from "../../../../test/support/policy-objects.ts";
import { ExpectedProxies } from "./expected-proxies.ts";

const trustDomain = "mesh.example";
const web = workloadOf("shop/web-0", { serviceAccount: "web" });
const webId = `spiffe://${trustDomain}/ns/shop/sa/web`;

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

function expectedOf(
  owners: readonly LeafOwner[],
  told: (proxies: ExpectedProxies) => void = () => {},
  isBuilt = true,
): { readonly names: readonly string[]; readonly isSettled: boolean } {
  const view = { isBuilt, all: () => owners };
  const proxies = new ExpectedProxies({ trustDomain, owners: () => view });
  told(proxies);
  const { expected, isSettled } = proxies.look([web], () => false);
  return { names: Array.from(expected.values(), ({ nodeId }) => nodeId), isSettled };
}

test("expects every workload with an identity until the log has been read", () => {
  assert.deepEqual(
    expectedOf([], () => {}, false),
    { names: ["web-0"], isSettled: false },
  );
});

test("expects nobody whose identity has no certificate of an agent that was not heard", () => {
  assert.deepEqual(expectedOf([]), { names: [], isSettled: true });
  assert.deepEqual(expectedOf([ownerOf("")]), { names: [], isSettled: true });
  const heard = (proxies: ExpectedProxies): void =>
    proxies.heard({ spiffeId: webId, agentId: "a" }, false);
  assert.deepEqual(expectedOf([ownerOf("a")], heard), { names: [], isSettled: true });
  const node = (proxies: ExpectedProxies): void =>
    proxies.heard({ spiffeId: `spiffe://${trustDomain}/node`, agentId: "n" }, true);
  assert.deepEqual(expectedOf([ownerOf("node/n")], node), { names: [], isSettled: true });
});

for (const [name, owners] of [
  ["an agent that was not heard", [ownerOf("a")]],
  ["one of two agents that was not heard", [ownerOf("heard"), ownerOf("a")]],
  ["owners that are too many to be told apart", [ownerOf("", { isRest: true })]],
  ["a node agent that was not heard", [ownerOf("node/n")]],
] as const) {
  test(`waits for ${name}`, () => {
    const heard = (proxies: ExpectedProxies): void =>
      proxies.heard({ spiffeId: webId, agentId: "heard" }, false);
    assert.deepEqual(expectedOf(owners, heard), { names: ["web-0"], isSettled: false });
  });
}

test("does not have the log read for workloads that are all there", () => {
  const owners = (): never => assert.fail("asked for owners");
  const proxies = new ExpectedProxies({ trustDomain, owners });
  assert.deepEqual(
    proxies.look([], () => false),
    { isSettled: false, expected: new Map() },
  );
  assert.equal(proxies.look([web], () => true).expected.size, 0);
});

test("expects nobody who has told that he is there, and nobody without an identity", () => {
  const owners = () => ({ isBuilt: true, all: () => [ownerOf("a")] });
  const proxies = new ExpectedProxies({ trustDomain, owners });
  assert.equal(proxies.look([web], (name) => name === "shop/web-0").expected.size, 0);
  const bare = workloadOf("shop/bare", { serviceAccount: "" });
  assert.equal(proxies.look([bare], () => false).expected.size, 0);
});
