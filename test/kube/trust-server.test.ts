/** A whole server with its trust in a Secret: rotations, denials, a lost disk, an API server that is away, and a second server. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { CoreV1Api } from "@kubernetes/client-node";
import {
  encodeTrustRecord,
  parseTrustRecord,
  stateDigest,
} from "../../src/core/kube/trust/trust-record.ts";
import type { TrustRecord } from "../../src/core/kube/trust/trust-record.ts";
import type { FlagTexts } from "../../src/edge/config/server-config.ts";
import { startControlPlane, type TestControlPlane } from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { runWith, type VerbOutcome } from "../server/root-rig.ts";
import { ClusterCallers } from "./cluster-callers.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { skipKube } from "./skip-kube.ts";
import { holds } from "./trust-rig.ts";

const name = "portcullis-trust";

describe("a server with --trust-secret", { skip: skipKube }, () => {
  let cluster: Cluster;
  let core: CoreV1Api;
  let namespace: string;

  before(async () => {
    cluster = await startCluster();
    core = cluster.kubeConfig().makeApiClient(CoreV1Api);
  });
  after(() => cluster.stop());
  beforeEach(async () => {
    namespace = await cluster.namespace("server");
  });

  const flagsOf = (dataDir: string): FlagTexts => ({
    kubernetes: cluster.adminKubeconfig,
    "kube-namespace": namespace,
    "trust-secret": name,
    "bundle-config-map": "off",
    "data-dir": dataDir,
  });
  const start = (dataDir: string): Promise<TestControlPlane> =>
    startControlPlane({ flags: flagsOf(dataDir) });
  const run = (server: TestControlPlane, ...words: string[]): Promise<VerbOutcome> =>
    runWith([...words, "--data-dir", server.config.dataDir]);
  const dataOf = async (): Promise<Record<string, string>> =>
    (await core.readNamespacedSecret({ namespace, name })).data ?? {};
  const published = async (): Promise<TrustRecord> =>
    parseTrustRecord(Buffer.from((await dataOf())["trust.json"] ?? "", "base64").toString());
  const isPublished = async ({ controlPlane }: TestControlPlane): Promise<void> => {
    const [there, here] = [(await published()).state, controlPlane.trust.state];
    assert.deepEqual([there.epoch, stateDigest(there)], [here.epoch, stateDigest(here)]);
  };
  const rootsOf = (dataDir: string): string => readFileSync(join(dataDir, "root-cert.pem"), "utf8");
  const isReady = async ({ controlPlane }: TestControlPlane): Promise<boolean> =>
    (await fetch(`${controlPlane.endpoints.metrics}/readyz`)).ok;

  it("rotates with each step in the Secret, and with no key there that is not needed any more", async () => {
    using directory = temporaryDirectory();
    await using server = await start(directory.path);
    const first = server.controlPlane.trust.state;
    const rotated = await run(server, "root", "rotate", "--timeout", "20s");
    assert.equal(rotated.status, 0, rotated.stderr);
    await isPublished(server);
    const { state } = await published();
    const keys = Object.keys(await dataOf()).filter((each) => each.startsWith("key."));
    assert.ok(!keys.includes(`key.${first.authorities[0]?.id}.pem`), keys.join());
    assert.ok(keys.includes(`key.${state.authorities[0]?.id}.pem`), keys.join());
  });

  it("says in its status, and to scrapers, that they are in step, and who has the Lease", async () => {
    using directory = temporaryDirectory();
    await using server = await start(directory.path);
    const { stdout } = await run(server, "status", "-o", "json");
    const { trustSecret } = JSON.parse(stdout).kube;
    const { name: named, behindSince, takenOverAt, problem, leaseHeld } = trustSecret;
    assert.deepEqual(
      [named, behindSince, takenOverAt, problem, leaseHeld],
      [`${namespace}/${name}`, "", "", "", true],
    );
    assert.match(trustSecret.leaseHolder, /^\S+_[0-9a-f]+$/);
    const leftMs = Date.parse(trustSecret.leaseUntil) - Date.now();
    assert.ok(leftMs > 0 && leftMs < 10_000, trustSecret.leaseUntil);
    const scraped = await fetch(`${server.controlPlane.endpoints.metrics}/metrics`);
    const metrics = await scraped.text();
    for (const line of ["secret_behind_seconds 0", "secret_good 1", "lease_held 1"]) {
      assert.match(metrics, new RegExp(`^portcullis_trust_${line}$`, "m"));
    }
  });

  it("comes up on an empty disk with the root, the rotation and the denials that it had", async () => {
    using lost = temporaryDirectory();
    let roots = "";
    {
      await using server = await start(lost.path);
      assert.equal((await run(server, "root", "prepare")).status, 0);
      const deny = ["deny", "add", "spiffe://cluster.local/ns/shop/sa/cart", "--reason", "stolen"];
      await run(server, ...deny);
      await holds(async () => await isPublished(server));
      roots = rootsOf(server.config.dataDir);
    }
    using fresh = temporaryDirectory();
    await using server = await start(fresh.path);
    assert.equal(rootsOf(server.config.dataDir), roots);
    const { stdout } = await run(server, "deny", "list");
    assert.match(stdout, /shop\/sa\/cart/);
    assert.match((await run(server, "status")).stdout, /: in step; taken over \S+( ago)?; this/);
    // Its log has nothing of what was signed before: nobody is broken by that.
    const resumed = await run(server, "root", "rotate", "--resume", "--timeout", "3s");
    assert.equal(resumed.status, 3, resumed.stdout);
    assert.match(resumed.stdout, /class\/lost-owners/);
  });

  it("keeps a step that the Secret cannot have out of force, signs on, denies at once, and makes up for it", async () => {
    using directory = temporaryDirectory();
    await using server = await start(directory.path);
    const before = server.controlPlane.trust;
    await cluster.kill();
    try {
      const prepared = await run(server, "root", "prepare");
      assert.equal(prepared.status, 1, prepared.stdout);
      assert.match(prepared.stderr, /it is stored, and comes into force as soon as it can/);
      assert.equal(server.controlPlane.trust.bundle, before.bundle);
      assert.equal(await isReady(server), true);
      assert.match((await run(server, "status")).stdout, /Secret \S+: behind for \d+s; /);
      const deny = ["deny", "add", "spiffe://cluster.local/ns/shop/sa/cart", "--reason", "stolen"];
      // 3: the log has no certificate of it.
      assert.equal((await run(server, ...deny)).status, 3);
      assert.match((await run(server, "deny", "list")).stdout, /shop\/sa\/cart/);
      const now = server.controlPlane.trust;
      assert.equal(now.bundle, before.bundle);
      assert.deepEqual(
        now.state.authorities,
        before.state.authorities,
        "told before it is in force",
      );
      assert.notDeepEqual(now.state.denyDigest, before.state.denyDigest);
    } finally {
      await cluster.restart();
    }
    await holds(() => assert.notEqual(server.controlPlane.trust.bundle, before.bundle), 30_000);
    await isPublished(server);
    const rotated = await run(server, "root", "rotate", "--resume", "--timeout", "20s");
    assert.equal(rotated.status, 0, rotated.stderr);
  });

  it("has the longest TTL in the Secret before a reload brings it into force, and refuses it where that cannot be", async () => {
    using directory = temporaryDirectory();
    const flags = { ...flagsOf(directory.path), "max-ttl": "24h" };
    await using server = await startControlPlane({ flags });
    const { config, controlPlane } = server;
    const days = (count: number) => ({ ...config, maxTtlSeconds: count * 86_400 });
    const ttlDays = async (): Promise<number> => (await published()).ttlMaxSeconds / 86_400;
    await controlPlane.reload(days(30));
    assert.equal(await ttlDays(), 30);
    await controlPlane.reload(config);
    assert.equal(await ttlDays(), 30);
    await cluster.kill();
    try {
      await assert.rejects(controlPlane.reload(days(60)), { name: "KubeError" });
      await controlPlane.reload(config);
    } finally {
      await cluster.restart();
    }
    await controlPlane.reload(days(60));
    assert.equal(await ttlDays(), 60);
  });

  it("signs nothing and is not ready when the Secret is of a later epoch, and takes it over at a start", async () => {
    using directory = temporaryDirectory();
    await using callers = await ClusterCallers.start(cluster, flagsOf(directory.path));
    const { token } = await callers.workload();
    assert.equal(await callers.ask(token), "issued");
    const record = await published();
    const state = { ...record.state, epoch: record.state.epoch + 3 };
    const later = encodeTrustRecord({ ...record, writer: "ffffffffffffffff", state });
    const secret = await core.readNamespacedSecret({ namespace, name });
    const data = { ...secret.data, "trust.json": Buffer.from(later).toString("base64") };
    await core.replaceNamespacedSecret({
      namespace,
      name,
      body: Object.assign({}, secret, { data }),
    });
    await holds(async () => assert.equal(await isReady(callers.server), false));
    assert.equal(await callers.ask(token), "signer-unavailable");
    assert.match(
      (await run(callers.server, "status")).stdout,
      /^hint: it ends by itself: started again/m,
    );
    const { findings } = JSON.parse((await run(callers.server, "doctor", "-o", "json")).stdout);
    for (const id of ["signing", "trust-secret"]) {
      const found = findings.find((each: { id: string }) => each.id === id);
      assert.equal(found.status, "critical");
      assert.match(found.finding, /was taken further by another server/);
      assert.match(found.hint, /^it ends by itself/);
    }
    const refused = await run(callers.server, "root", "prepare");
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /was taken further by another server/);
    assert.match(refused.stderr, /started again, it takes over/);
    const { overtaken } = callers.server.controlPlane;
    assert.equal(overtaken.reason.code, "trust-secret-advanced");
    await holds(async () => {
      const status = await run(callers.server, "status");
      assert.match(status.stdout, /: Secret \S+ .* was taken further .*; nobody has its Lease$/m);
      assert.doesNotMatch(status.stdout, /in step/);
    });
    const rotation = await run(callers.server, "root", "status");
    assert.match(rotation.stdout, /^prepare +not now: Secret [^:]*\s+was taken further/m);
    assert.equal(rotation.status, 0);
    await callers[Symbol.asyncDispose]();
    await using again = await start(directory.path);
    assert.ok(again.controlPlane.trust.state.epoch >= state.epoch);
  });

  it("waits at its start while another server has the Lease, and takes over when that one has ended", async () => {
    using one = temporaryDirectory();
    using two = temporaryDirectory();
    const first = await start(one.path);
    await using _ = first;
    const second = start(two.path);
    const isUp = await Promise.race([
      second.then(() => true),
      new Promise<false>((resolve) => setTimeout(resolve, 3_000, false)),
    ]);
    assert.equal(isUp, false);
    const { bundle } = first.controlPlane.trust;
    await first[Symbol.asyncDispose]();
    await using server = await second;
    assert.deepEqual(server.controlPlane.trust.bundle.roots, bundle.roots);
    assert.ok(server.log.some(({ event }) => event === "lease-waiting"));
  });
});
