/** A mesh in a cluster from its first certificate to another root, with the API server away in the middle of each step. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { isOver, Operator as RootOperator } from "../../src/app/demo/mesh/operator.ts";
import { isSafe } from "../flip-mesh/operator.ts";
import { skipKube } from "../kube/skip-kube.ts";
import { httpCaller } from "../policy-mesh/callers.ts";
import { Traffic } from "../policy-mesh/traffic.ts";
import { patience } from "../rotation/steps.ts";
import { readObject } from "./custom-objects.ts";
import { KubeMesh } from "./kube-mesh.ts";

describe("a mesh in a cluster", { skip: skipKube, timeout: 400_000 }, () => {
  test("becomes strict and changes its root while its API server ends and comes back, and no request fails", async (t) => {
    const flags = { "look-back": "40s", "default-ttl": "60s", "reissue-per-second": "10" };
    await using mesh = await KubeMesh.open({ flags, apis: 3 });
    const { cluster, operator, shop } = mesh;
    const target = `${shop}/api`;
    const door = { address: mesh.client?.address ?? "", port: mesh.ports.call };
    const { host } = mesh;
    await using traffic = new Traffic([
      { name: "new", perSecond: 20, caller: httpCaller({ door, host, kept: 0 }) },
      { name: "kept", perSecond: 20, caller: httpCaller({ door, host, kept: 4 }) },
    ]);
    const part = (title: string, run: () => Promise<void>): Promise<void> => t.test(title, run);

    await part(
      "each pod has a certificate by its own token, and its policy by the cluster",
      async () => {
        const explained = await operator.does("mtls", "explain", `${shop}/api-0:${mesh.ports.api}`);
        assert.match(explained, /takes mTLS and plaintext/);
        assert.match(explained, /PeerAuthentication/);
        await sleep(2_000);
        assert.deepEqual(traffic.failures, []);
      },
    );
    await part("a verdict is safe by what its Envoys have seen", async () => {
      await operator.checkUntil(target, isSafe, 90_000);
    });
    await part(
      "a flip writes the cluster's own object, also when the API server is away meanwhile",
      async () => {
        const words = ["--stages", "1,all", "--revert-window", "5s"];
        await using flip = operator.begin(
          "mtls",
          "flip",
          target,
          "--to",
          "strict",
          "--yes",
          ...words,
        );
        await flip.says(/stage 1 of 2 \(1\) is open/, 90_000);
        await cluster.kill();
        await sleep(1_000);
        await cluster.restart();
        assert.equal(await flip.ended(), 0, flip.out + flip.err);
        const object = { kind: "PeerAuthentication", namespace: shop, name: "api" } as const;
        assert.equal((await readObject(cluster, object)).spec?.mtls?.mode, "STRICT");
      },
    );
    await part(
      "a root is changed by evidence, also when the API server is away meanwhile",
      async () => {
        const roots = new RootOperator(mesh.server.admin, "ada");
        await roots.insist("prepare", patience());
        await cluster.kill();
        await roots.insist("activate", patience());
        await cluster.restart();
        await roots.insist("retire", AbortSignal.timeout(180_000));
        await roots.until(isOver, patience());
      },
    );
    await part("no request has failed", async () => {
      await traffic.stop();
      assert.deepEqual(traffic.failures, []);
      assert.ok(traffic.sent > 1_000, `${traffic.sent} sent`);
      assert.equal(traffic.tally("new").plaintext, 0);
    });
  });
});
