/** A node's proxy, shaped as ztunnel, asks for the pods on its node; a stolen token of one gets what runs there, and nothing else. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { parseCertificate } from "../../src/core/x509/certificate.ts";
import { parsePem } from "../../src/core/x509/pem.ts";
import { CODE } from "../server/grpc-wire.ts";
import { eventually } from "../support/control-plane.ts";
import { audience, ClusterCallers, type Workload } from "./cluster-callers.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { skipKube } from "./skip-kube.ts";
import { claimsOf, resignToken } from "./token-review.ts";

const opaque = "request impersonation authentication failure";

describe("a node's proxy", { skip: skipKube }, () => {
  let cluster: Cluster;
  let callers: ClusterCallers;
  let ztunnel: Workload;
  let node: string;

  before(async () => {
    cluster = await startCluster();
    const account = await cluster.serviceAccount(await cluster.namespace("nodes"), "ztunnel");
    const { namespace } = account;
    callers = await ClusterCallers.start(cluster, {
      "trusted-node-account": [`${namespace}/ztunnel`],
    });
    node = (await cluster.node("node")).name;
    const pod = await cluster.pod(account, { node });
    const token = await cluster.tokenOf(account, { pod, audience });
    ztunnel = { account, pod, token, id: `spiffe://cluster.local/ns/${namespace}/sa/ztunnel` };
  });
  after(async () => {
    await callers[Symbol.asyncDispose]();
    await cluster.stop();
  });

  it("gets a certificate for a pod on its node, in that pod's name alone", async () => {
    const here = await callers.workload({ node });
    const reply = await callers.call(ztunnel.token, here.id);
    assert.equal(reply.code, CODE.ok, reply.message);
    assert.deepEqual(urisOf(reply.certChain), [here.id]);
    const line = callers.server.log.findLast(({ spiffeId }) => spiffeId === here.id);
    assert.deepEqual(line?.["evidence"], {
      method: "node",
      by: ztunnel.id,
      askedBy: { name: ztunnel.pod.name, uid: ztunnel.pod.uid },
      onNode: node,
      issuer: claimsOf(ztunnel.token)["iss"],
      tokenId: claimsOf(ztunnel.token)["jti"],
    });
  });

  it("gets its own without asking for another's", async () => {
    assert.deepEqual(urisOf((await callers.call(ztunnel.token)).certChain), [ztunnel.id]);
  });

  it("waits for a pod that the watch does not know yet", async () => {
    const account = await cluster.serviceAccount(await cluster.namespace("late"), "cart");
    const id = `spiffe://cluster.local/ns/${account.namespace}/sa/cart`;
    const asked = callers.ask(ztunnel.token, id);
    await cluster.pod(account, { node });
    assert.equal(await asked, "issued");
  });

  it("is told nothing of why not, and the log is", async () => {
    const other = (await cluster.node("other")).name;
    const there = await callers.workload({ node: other });
    const nowhere = await callers.workload();
    const table: readonly (readonly [string, RegExp])[] = [
      [there.id, /no pod of .*\/cart runs on node/],
      [nowhere.id, /no pod of .*\/cart runs on node/],
      [there.id.replace("cluster.local", "other.domain"), /expected an ID of cluster.local/],
      ["spiffe://cluster.local/vm/1", /expected \/ns\/NAMESPACE\/sa\/SERVICE-ACCOUNT/],
      ["not an id", /expected a SPIFFE ID/],
    ];
    for (const [id, why] of table) {
      const reply = await callers.call(ztunnel.token, id);
      assert.deepEqual([reply.code, reply.message], [CODE.unauthenticated, opaque], id);
      const line = callers.refusalOf(reply);
      assert.match(String(line["detail"]), why);
      assert.deepEqual([line["reason"], line["spiffeId"]], ["impersonation-refused", ztunnel.id]);
    }
  });

  it("is the only one that may: no other account, and no token that says another node", async () => {
    const here = await callers.workload({ node });
    const cart = await callers.workload({ node });
    assert.equal(await callers.ask(cart.token, here.id), "impersonation-refused");
    const moved = resignToken(
      ztunnel.token,
      { "kubernetes.io": { ...kubernetesOf(ztunnel.token), node: { name: "elsewhere" } } },
      cluster.tokenKeyPem,
    );
    assert.equal(await callers.ask(moved, here.id), "impersonation-refused");
    const unbound = await cluster.tokenOf(ztunnel.account, { audience });
    assert.equal(await callers.ask(unbound, here.id), "impersonation-refused");
  });

  it("gets nothing for a pod that is gone, nor with the token of its own that is", async () => {
    const goes = await callers.workload({ node });
    assert.equal(await callers.ask(ztunnel.token, goes.id), "issued");
    await cluster.deletePod(goes.pod);
    const refused = async (token: string, id: string, reason: string): Promise<boolean> =>
      (await callers.ask(token, id)) === reason;
    await eventually(() => refused(ztunnel.token, goes.id, "impersonation-refused"));
    const pod = await cluster.pod(ztunnel.account, { node });
    const stolen = await cluster.tokenOf(ztunnel.account, { pod, audience });
    const here = await callers.workload({ node });
    assert.equal(await callers.ask(stolen, here.id), "issued");
    await cluster.deletePod(pod);
    await eventually(() => refused(stolen, here.id, "token-revoked"));
  });

  it("gets nothing by watches that are behind", async () => {
    const here = await callers.workload({ node });
    assert.equal(await callers.ask(ztunnel.token, here.id), "issued");
    cluster.freeze();
    try {
      await eventually(async () => {
        const reply = await callers.call(ztunnel.token, here.id);
        return reply.code === CODE.unavailable;
      }, 30_000);
    } finally {
      cluster.thaw();
    }
    await eventually(async () => (await callers.ask(ztunnel.token, here.id)) === "issued", 20_000);
  });
});

function kubernetesOf(token: string): object {
  const claim = claimsOf(token)["kubernetes.io"];
  return typeof claim === "object" && claim !== null ? claim : {};
}

function urisOf([leaf = ""]: readonly string[]): readonly string[] {
  const [der = new Uint8Array()] = parsePem(leaf, "CERTIFICATE", { blocksMax: 1 });
  return parseCertificate(der).uris;
}
