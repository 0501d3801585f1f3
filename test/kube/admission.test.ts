/** The admission webhook before the real API server: whoever applies STRICT is told, or stopped, by what kubectl shows. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { AdmissionregistrationV1Api } from "@kubernetes/client-node";
import { makeAuthority, type TestAuthority } from "../support/authority.ts";
import type { JsonObject } from "../../src/core/identity/json-object.ts";
import { parseManifest } from "../../src/edge/resources/parse-manifests.ts";
import { peerObject, workloadManifest, type PeerSpec } from "../support/guard-rig.ts";
import { eventually } from "../support/mesh-process.ts";
import {
  caBundleOf,
  configurationName,
  openScene,
  register,
  unregister,
  Writer,
  type GuardScene,
  type GuardSceneOptions,
} from "./admission-rig.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { skipKube } from "./skip-kube.ts";

const strict = { mode: "STRICT", app: "api" };
const permissive = { mode: "PERMISSIVE", app: "api" };
const crds = `${import.meta.dirname}/../../deploy/kubernetes/crds`;

describe("the admission webhook", { skip: skipKube }, () => {
  let cluster: Cluster;
  let ada: Writer;
  let first: TestAuthority;
  let second: TestAuthority;

  before(async () => {
    cluster = await startCluster();
    await cluster.applyCrds(crds);
    const writers = await cluster.namespace("writers");
    ada = await Writer.make(cluster, await cluster.serviceAccount(writers, "ada"));
    [first, second] = await Promise.all([
      makeAuthority("p256", Date.now()),
      makeAuthority("p256", Date.now()),
    ]);
  });

  after(async () => {
    await cluster.stop();
  });

  /** Once the API server asks it. A shop whose API is called by a cron job without mTLS. */
  async function opened(
    options: Omit<GuardSceneOptions, "active">,
    failurePolicy: "Fail" | "Ignore" = options.mode === "enforce" ? "Fail" : "Ignore",
  ): Promise<GuardScene & { readonly shop: string }> {
    await using owned = new AsyncDisposableStack();
    const shop = await cluster.namespace("shop");
    const scene = owned.use(await openScene(cluster, { ...options, active: first }));
    const { evidence, known } = scene;
    known.put(workloadManifest(`${shop}/api-0`, "api", "10.0.0.1"));
    evidence.proxy(`${shop}/api-0`, { app: "api" });
    evidence.called(`${shop}/api-0`, "legacy/cron");
    await register(cluster, scene.guard, failurePolicy);
    owned.defer(() => unregister(cluster));
    await eventually("the API server asks", async () => {
      const { status, warnings } = await ada.create(
        peerObject(`${shop}/api`, strict),
        "?dryRun=All",
      );
      return status === 403 || warnings.some((each) => each.includes("UNSAFE"));
    });
    scene.log.splice(0);
    const all = owned.move();
    return { ...scene, shop, [Symbol.asyncDispose]: () => all.disposeAsync() };
  }

  it("warns of callers by name, and lets it in", async () => {
    await using scene = await opened({ mode: "warn" });
    const { shop } = scene;
    const written = await ada.create(peerObject(`${shop}/api`, strict));
    assert.equal(written.status, 201, written.message);
    assert.deepEqual(written.warnings, [
      `Portcullis: PeerAuthentication ${shop}/api: by it ${shop}/api would be STRICT, and it is not known to be SAFE`,
      `Portcullis: ${shop}/api is UNSAFE: it would refuse legacy/cron`,
      `Portcullis: apply it with mode PERMISSIVE, then: portcullis mtls flip ${shop}/api --to strict`,
    ]);
    const line = scene.log.find((each) => each.includes("guard-warned")) ?? "";
    assert.match(line, /"claimed":"system:serviceaccount:writers-[0-9a-f]+:ada"/);
    assert.match(await scene.registry.metrics(), /guard_reviews_total\{result="warned"\} [1-9]/);
  });

  it("refuses it by name where that is enforced, and lets it in once it is SAFE or waived", async () => {
    await using scene = await opened({ mode: "enforce" });
    const { shop, known, waived, evidence } = scene;
    const object = peerObject(`${shop}/api`, strict);
    const refused = await ada.create(object);
    assert.equal(refused.status, 403);
    assert.match(refused.message, /denied the request: .* would refuse legacy\/cron; .*mtls flip/);
    const dry = await ada.create(object, "?dryRun=All");
    assert.deepEqual([dry.status, dry.message], [403, refused.message]);
    const old = { ...object, apiVersion: "security.istio.io/v1beta1" };
    assert.equal((await ada.create(old)).status, 403);

    assert.equal((await ada.create(peerObject(`${shop}/api`, permissive))).status, 201);
    known.put(`${JSON.stringify(peerObject(`${shop}/api`, permissive))}\n`);
    const next = await ada.update(object);
    assert.equal(next.status, 403);
    assert.match(next.message, /are waived: portcullis mtls flip shop-\w+\/api --to strict$/);

    waived.add("legacy/cron");
    assert.equal((await ada.update(object)).status, 200);
    waived.clear();
    // Back is always allowed, and what is strict already is made no stricter.
    assert.equal((await ada.update(object)).status, 200);
    assert.equal((await ada.update(peerObject(`${shop}/api`, permissive))).status, 200);
    evidence.seen.splice(0);
    const safe = await ada.update(object);
    assert.deepEqual([safe.status, safe.warnings], [200, []]);
  });

  it("refuses to delete the PERMISSIVE that holds a workload open under a STRICT namespace", async () => {
    await using scene = await opened({ mode: "enforce" });
    const { shop, known } = scene;
    const object = peerObject(`${shop}/api`, permissive);
    assert.equal((await ada.create(object)).status, 201);
    known.put(`${JSON.stringify(object)}\n`);
    const namespace = peerObject(`${shop}/default`, { mode: "STRICT" });
    assert.equal((await ada.create(namespace)).status, 201);
    known.put(`${JSON.stringify(namespace)}\n`);
    const refused = await ada.delete(`${shop}/api`);
    assert.equal(refused.status, 403);
    assert.match(refused.message, /without it shop-\w+\/api would be STRICT.*legacy\/cron/);
    known.remove(`PeerAuthentication/${shop}/default`);
    assert.equal((await ada.delete(`${shop}/default`)).status, 200);
    assert.equal((await ada.delete(`${shop}/api`)).status, 200);
  });

  it("lets in what the server itself is writing, and nothing else in its name", async () => {
    await using scene = await opened({ mode: "enforce" });
    const { shop, known, edits, ours } = scene;
    const self = await Writer.make(cluster, ours.account);
    const ref = { kind: "PeerAuthentication", namespace: shop, name: "api" } as const;
    const manifestOf = (spec: PeerSpec): JsonObject => {
      const text = JSON.stringify(peerObject(`${shop}/api`, spec));
      return parseManifest(text, "").objects[0]?.manifest ?? assert.fail();
    };
    const first = manifestOf(strict);
    const second = manifestOf({ ...strict, ports: { 81: "STRICT" } });
    for (const [before, after] of [
      [undefined, first],
      [first, second],
      [second, undefined],
    ] as const) {
      assert.equal((await self.create(peerObject(`${shop}/api`, strict))).status, 403);
      const made = edits.edit(ref, { before, after });
      if (after === undefined) known.remove(`PeerAuthentication/${shop}/api`);
      else known.put(`${JSON.stringify(after)}\n`);
      await made;
    }
  });

  it("refuses what it cannot judge where that is enforced, but never the way back", async () => {
    let why: string | undefined;
    await using scene = await opened({ mode: "enforce", notReady: () => why });
    const { shop } = scene;
    why = "the server has not read the cluster's objects yet";
    const refused = await ada.create(peerObject(`${shop}/api`, strict));
    assert.equal(refused.status, 403);
    assert.match(refused.message, /has not read the cluster's objects yet; try again/);
    assert.equal((await ada.create(peerObject(`${shop}/api`, permissive))).status, 201);
  });

  it("that is away stops nothing under Ignore, and the change under Fail", async () => {
    for (const failurePolicy of ["Ignore", "Fail"] as const) {
      await using scene = await opened({ mode: "warn" }, failurePolicy);
      await scene.close();
      const { status, message } = await ada.create(peerObject(`${scene.shop}/api`, strict));
      assert.equal(status, failurePolicy === "Ignore" ? 201 : 500, message);
      if (failurePolicy === "Fail") assert.match(message, /failed calling webhook/);
    }
  });

  it("is believed again within a moment when somebody has edited its roots away", async () => {
    await using scene = await opened({ mode: "enforce" });
    const good = await caBundleOf(cluster);
    const api = cluster.kubeConfig().makeApiClient(AdmissionregistrationV1Api);
    const body = await api.readValidatingWebhookConfiguration({ name: configurationName });
    const [webhook] = body.webhooks ?? [];
    assert.ok(webhook !== undefined);
    const others = Buffer.from(pemOf(second)).toString("base64");
    webhook.clientConfig.caBundle = others;
    const name = "other.x.test";
    const which = { apiGroups: ["x.test"], apiVersions: ["v1"], resources: ["xs"] };
    const rules = [{ ...which, operations: ["CREATE"] }];
    body.webhooks = [Object.assign(structuredClone(webhook), { name, rules }), webhook];
    await api.replaceValidatingWebhookConfiguration({ name: configurationName, body });
    await eventually("it is written again", async () => (await caBundleOf(cluster)) === good);
    const { webhooks } = await api.readValidatingWebhookConfiguration({ name: configurationName });
    const left = webhooks?.find((each) => each.name === name);
    assert.equal(left?.clientConfig.caBundle, others);
    await eventually("it is asked again", async () => {
      return (
        (await ada.create(peerObject(`${scene.shop}/api`, strict), "?dryRun=All")).status === 403
      );
    });
  });

  it("tells no roots while those of the server may be old, and makes up for it", async () => {
    const trustSecret = { areRootsCurrent: true };
    await using scene = await opened({ mode: "warn", trustSecret });
    const before = await caBundleOf(cluster);
    trustSecret.areRootsCurrent = false;
    scene.trust.turn(first, [first, second]);
    await eventually("it is said", () => scene.log.some((line) => line.includes("may be old")));
    await sleep(500);
    assert.equal(await caBundleOf(cluster), before);
    assert.equal(scene.guard.report().isCaCurrent, false);
    trustSecret.areRootsCurrent = true;
    await eventually("they are told", async () => (await caBundleOf(cluster)) !== before);
  });

  it("loses no question while its root is rotated, and its certificates with it", async () => {
    await using scene = await opened({ mode: "enforce" });
    const { shop, trust, guard } = scene;
    const object = peerObject(`${shop}/api`, strict);
    const done = new AbortController();
    let asked = 0;
    const asking = (async () => {
      while (!done.signal.aborted) {
        const { status, message } = await ada.create(object, "?dryRun=All");
        assert.equal(status, 403, message);
        assert.match(message, /legacy\/cron/);
        asked++;
        await sleep(10);
      }
    })();
    const rotation = (async () => {
      const before = guard.root();
      const bundleHas =
        (...all: readonly TestAuthority[]) =>
        async (): Promise<boolean> => {
          const told = Buffer.from(await caBundleOf(cluster), "base64").toString();
          return (
            all.every((each) => told.includes(pemOf(each).trim())) &&
            told.split("BEGIN").length - 1 === all.length
          );
        };
      // Prepared and activated in one turn: the certificate waits for the API server.
      trust.turn(first, [first, second]);
      trust.turn(second, [first, second]);
      await eventually("both roots are told", bundleHas(first, second));
      assert.equal(guard.root(), before);
      await eventually(
        "the certificate follows",
        () => guard.root() === second.authority.rootSha256,
      );
      trust.turn(second, [second]);
      await eventually("the old root is told no more", bundleHas(second));
      const then = asked + 20;
      await eventually("it is asked on", () => asked >= then);
    })();
    await rotation.finally(() => done.abort());
    await asking;
  });
});

function pemOf({ root }: TestAuthority): string {
  const lines =
    Buffer.from(root)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}
