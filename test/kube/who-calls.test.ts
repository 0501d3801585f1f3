/** Whom a server in a cluster believes, by real tokens of a real API server: each refusal, and how soon it comes. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { CoreV1Api } from "@kubernetes/client-node";
import { parseCertificate } from "../../src/core/x509/certificate.ts";
import { parsePem } from "../../src/core/x509/pem.ts";
import { eventually, scrape } from "../support/control-plane.ts";
import { CODE } from "../server/grpc-wire.ts";
import { makeTokenKey, signToken } from "../support/tokens.ts";
import { audience, ClusterCallers } from "./cluster-callers.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { skipKube } from "./skip-kube.ts";
import { claimsOf, resignToken } from "./token-review.ts";

describe("a server in a cluster", { skip: skipKube }, () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await startCluster();
  });
  after(() => cluster.stop());

  for (const check of ["watched", "review", "review-always"]) {
    describe(`that checks tokens by ${check}`, () => {
      let callers: ClusterCallers;
      before(async () => {
        callers = await ClusterCallers.start(cluster, { "token-check": check });
      });
      after(() => callers[Symbol.asyncDispose]());

      it("signs for a pod's token, in its account's name", async () => {
        const { token, id } = await callers.workload();
        const reply = await callers.call(token);
        assert.equal(reply.code, CODE.ok, reply.message);
        assert.deepEqual(urisOf(reply.certChain), [id]);
        assert.equal(await callers.ask(token), "issued");
      });

      it("signs for a token that is bound to its account alone", async () => {
        const { account } = await callers.workload();
        assert.equal(await callers.ask(await cluster.tokenOf(account, { audience })), "issued");
      });

      it("refuses what the token says wrong by itself, and asks nobody about it", async () => {
        const { account, pod, token } = await callers.workload();
        const past = Math.floor(Date.now() / 1_000) - 600;
        const times = { exp: past, iat: past - 600, nbf: past - 600 };
        const asked = await reviewsOf(callers);
        const table: readonly (readonly [string, string, string])[] = [
          [
            "another audience",
            await cluster.tokenOf(account, { pod, audience: "vault" }),
            "token-audience",
          ],
          ["expired", resignToken(token, times, cluster.tokenKeyPem), "token-expired"],
          [
            "another issuer",
            resignToken(token, { iss: "https://x" }, cluster.tokenKeyPem),
            "token-issuer",
          ],
          [
            "another cluster's",
            signToken(makeTokenKey("RS256", "other"), { payload: claimsOf(token) }),
            "token-key-unknown",
          ],
          ["changed", `${token.slice(0, -8)}AAAAAAAA`, "token-signature"],
          ["none", "a.b.c", "token-malformed"],
        ];
        for (const [what, each, reason] of table) {
          const reply = await callers.call(each);
          assert.deepEqual(
            [reply.code, reply.message],
            [CODE.unauthenticated, "request authenticate failure"],
            what,
          );
          assert.equal(callers.refusalOf(reply)["reason"], reason, what);
        }
        assert.equal(await reviewsOf(callers), asked);
      });

      it("refuses a deleted pod's token within a second", async () => {
        const { token, pod } = await callers.workload();
        assert.equal(await callers.ask(token), "issued");
        await cluster.deletePod(pod);
        await revoked(callers, token);
      });

      it("refuses a deleted account's token, also when another has its name", async () => {
        const { account } = await callers.workload();
        const token = await cluster.tokenOf(account, { audience });
        assert.equal(await callers.ask(token), "issued");
        await cluster.deleteServiceAccount(account);
        await revoked(callers, token);
        const again = await cluster.serviceAccount(account.namespace, account.name);
        assert.equal(await callers.ask(token), "token-revoked");
        assert.equal(await callers.ask(await cluster.tokenOf(again, { audience })), "issued");
      });

      it("refuses a token of a pod that it never saw, by the API server's word", async () => {
        const { token, account } = await callers.workload();
        const { exp } = claimsOf(token);
        const kubernetes = {
          namespace: account.namespace,
          serviceaccount: { name: account.name, uid: account.uid },
          pod: { name: "never", uid: "8b6c1d9e-1111-4c8e-8a48-5a3b3f0b7c9d" },
        };
        const forged = resignToken(
          token,
          { "kubernetes.io": kubernetes, exp },
          cluster.tokenKeyPem,
        );
        assert.equal(await callers.ask(forged), "token-revoked");
      });

      it("refuses a token that is a secret's, or bound to nothing", async () => {
        const { token, account } = await callers.workload();
        const { namespace, name } = account;
        const core = cluster.kubeConfig().makeApiClient(CoreV1Api);
        const secret = await core.createNamespacedSecret({
          namespace,
          body: { metadata: { name: "token" } },
        });
        const { status } = await core.createNamespacedServiceAccountToken({
          namespace,
          name,
          body: {
            spec: {
              audiences: [audience],
              boundObjectRef: {
                kind: "Secret",
                apiVersion: "v1",
                name: "token",
                uid: secret.metadata?.uid ?? "",
              },
            },
          },
        });
        assert.equal(await callers.ask(status?.token ?? ""), "token-unbound");
        const bare = resignToken(token, { "kubernetes.io": undefined }, cluster.tokenKeyPem);
        assert.equal(await callers.ask(bare), "token-unbound");
      });
    });
  }

  it("says what it refused of whom, and no token", async () => {
    await using callers = await ClusterCallers.start(cluster);
    const { token, pod, id } = await callers.workload();
    assert.equal(await callers.ask(token), "issued");
    await cluster.deletePod(pod);
    await revoked(callers, token);
    const line = callers.refusalOf(await callers.call(token));
    assert.deepEqual(
      [line["reason"], line["detail"], line["claimed"]],
      ["token-revoked", "its pod was deleted", id],
    );
    const [, payload = "", signature = ""] = token.split(".");
    for (const { text } of callers.server.log) {
      assert.ok(!text.includes(payload) && !text.includes(signature), text);
    }
  });
});

async function revoked(callers: ClusterCallers, token: string): Promise<void> {
  const beganMs = performance.now();
  await eventually(async () => (await callers.ask(token)) === "token-revoked", 2_000);
  const tookMs = performance.now() - beganMs;
  assert.ok(tookMs < 1_000, `${tookMs} ms`);
}

async function reviewsOf(callers: ClusterCallers): Promise<number> {
  const samples = await scrape(callers.server);
  return Array.from(samples)
    .filter(([name]) => name.startsWith("portcullis_kube_reviews_total"))
    .reduce((sum, [, value]) => sum + value, 0);
}

function urisOf([leaf = ""]: readonly string[]): readonly string[] {
  const [der = new Uint8Array()] = parsePem(leaf, "CERTIFICATE", { blocksMax: 1 });
  return parseCertificate(der).uris;
}
