/** `portcullis server --guard enforce` in a cluster: a pod's port is not made STRICT by kubectl while nobody knows who calls it. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { startControlPlane, type TestControlPlane } from "../support/control-plane.ts";
import { peerObject } from "../support/guard-rig.ts";
import { eventually } from "../support/mesh-process.ts";
import { runWith } from "../server/root-rig.ts";
import { caBundleOf, register, Writer, type Written } from "./admission-rig.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { skipKube } from "./skip-kube.ts";

const crds = `${import.meta.dirname}/../../deploy/kubernetes/crds`;

describe("a server with a guard", { skip: skipKube }, () => {
  let cluster: Cluster;
  let plane: TestControlPlane;
  let ada: Writer;
  let shop = "";

  before(async () => {
    cluster = await startCluster();
    await cluster.applyCrds(crds);
    shop = await cluster.namespace("shop");
    const account = await cluster.serviceAccount(shop, "api");
    const labels = { app: "api", "security.istio.io/tlsMode": "istio" };
    await cluster.pod(account, { labels, ip: "10.0.0.7" });
    ada = await Writer.make(cluster, await cluster.serviceAccount(shop, "ada"));
    const guard = { guard: "enforce", "guard-listen": "127.0.0.1:0" };
    plane = await startControlPlane({ flags: { kubernetes: cluster.adminKubeconfig, ...guard } });
    const url = plane.log.find(({ event }) => event === "guard-open")?.["url"];
    await register(cluster, { url: String(url) }, "Fail");
    await eventually("roots are told", async () => (await caBundleOf(cluster)) !== "");
  });

  after(async () => {
    await plane[Symbol.asyncDispose]();
    await cluster.stop();
  });

  const strict = (app: string) => peerObject(`${shop}/${app}`, { mode: "STRICT", app });

  it("refuses STRICT for a pod of which nothing is known, by the name that mtls check takes", async () => {
    let said: Written | undefined;
    await eventually("the API server asks", async () => {
      said = await ada.create(strict("api"), "?dryRun=All");
      return said.status === 403;
    });
    assert.match(said?.message ?? "", /UNKNOWN: evidence is missing of target\/shop-\w+\/api/);
    const permissive = peerObject(`${shop}/api`, { mode: "PERMISSIVE", app: "api" });
    assert.equal((await ada.create(permissive)).status, 201);
    await eventually("the server knows the object", async () => {
      const { status, message } = await ada.update(strict("api"));
      return status === 403 && message.includes(`portcullis mtls check ${shop}/api`);
    });
  });

  it("is seen in the server's status", async () => {
    const { stdout } = await runWith(["status", "--data-dir", plane.config.dataDir]);
    assert.match(
      stdout,
      /^guard: enforce; the API server has its roots; its certificate expires in/m,
    );
  });

  it("lets in what is about nobody", async () => {
    assert.equal((await ada.create(strict("nobody"))).status, 201);
  });
});
