/** A server that was stopped for a while, and that another one has overtaken meanwhile: it ends, and nothing of it reaches the cluster. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { CoordinationV1Api, CoreV1Api, type V1Secret } from "@kubernetes/client-node";
import { leaseTimes } from "../../src/core/kube/trust/lease.ts";
import { runWith } from "../server/root-rig.ts";
import { ServerProcess } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { skipKube } from "./skip-kube.ts";
import { holds, startTrust } from "./trust-rig.ts";

const secretName = "portcullis-trust";
const mapName = "overtaken-roots";

describe("a server that another one has overtaken while it stood still", { skip: skipKube }, () => {
  let cluster: Cluster;
  let core: CoreV1Api;
  let leases: CoordinationV1Api;
  let namespace: string;

  before(async () => {
    cluster = await startCluster();
    core = cluster.kubeConfig().makeApiClient(CoreV1Api);
    leases = cluster.kubeConfig().makeApiClient(CoordinationV1Api);
  });

  after(async () => {
    await cluster.stop();
  });

  beforeEach(async () => {
    namespace = await cluster.namespace("overtaken");
  });

  const create = (dataDir: string): Promise<ServerProcess> =>
    ServerProcess.create({
      dataDir,
      isInCluster: true,
      flags: {
        kubernetes: cluster.adminKubeconfig,
        "kube-namespace": namespace,
        "trust-secret": secretName,
        "bundle-config-map": mapName,
      },
    });
  const rootsIn = (pem: string): number => pem.split("BEGIN CERTIFICATE").length - 1;
  const rootsTold = async (): Promise<number> => {
    const map = await core.readNamespacedConfigMap({ namespace, name: mapName });
    return rootsIn(map.data?.["root-cert.pem"] ?? "");
  };
  const rootsOf = ({ rootFile }: ServerProcess): number => rootsIn(readFileSync(rootFile, "utf8"));
  const eventsOf = ({ log }: ServerProcess): readonly string[] =>
    log.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line).event);

  for (const [moment, isGone] of [
    ["while that one runs", false],
    ["when that one has ended", true],
  ] as const) {
    it(`ends by itself ${moment}, writes no roots, and takes over what is there at its next start`, async () => {
      using directory = temporaryDirectory();
      await using first = await create(join(directory.path, "first"));
      await using second = await create(join(directory.path, "second"));
      await first.start();
      await holds(async () => assert.equal(await rootsTold(), 1));
      first.freeze();
      const frozenMs = performance.now();
      // As after its duration.
      await leases.deleteNamespacedLease({ namespace, name: secretName });
      await second.start();
      const prepared = await runWith(["root", "prepare", "--data-dir", second.dataDir]);
      assert.equal(prepared.status, 0, prepared.stderr);
      await holds(async () => assert.equal(await rootsTold(), 2));
      if (isGone) await second[Symbol.asyncDispose]();
      // By its own clock it has it no more.
      const { renewDeadlineMs } = leaseTimes;
      await sleep(Math.max(0, frozenMs + renewDeadlineMs - performance.now()));
      const told = new Set<number>();
      const ended = first.died();
      first.thaw();
      const endMs = performance.now() + 20_000;
      let how: string | undefined;
      while (how === undefined && performance.now() < endMs) {
        told.add(await rootsTold());
        how = await Promise.race([ended, sleep(100, undefined)]);
      }
      assert.deepEqual([...told], [2], "it has written the roots that it had");
      assert.match(how ?? "it goes on", /got exit 1;/);
      assert.ok(eventsOf(first).includes("overtaken"));
      await second[Symbol.asyncDispose]();
      await first.start();
      assert.equal(rootsOf(first), 2);
      assert.ok(eventsOf(first).includes("trust-adopted"));
      assert.equal(await rootsTold(), 2);
    });
  }

  it("keeps nobody from the Lease where a start would not help, and goes on when a hand has put the Secret back", async () => {
    using directory = temporaryDirectory();
    const connection = await cluster.connection();
    const place = { namespace, name: secretName };
    const times = { lookMs: 50 };
    const at = (name: string): string => join(directory.path, name);
    const dataOf = async (name: string): Promise<V1Secret["data"]> =>
      (await core.readNamespacedSecret({ namespace, name })).data;
    const put = async (data: V1Secret["data"]): Promise<void> => {
      const secret = await core.readNamespacedSecret(place);
      await core.replaceNamespacedSecret({ ...place, body: Object.assign({}, secret, { data }) });
    };
    await using here = await startTrust({ connection, dataDir: at("here"), place, times });
    const ours = await dataOf(secretName);
    const elsewhere = { namespace, name: "elsewhere" };
    const other = await startTrust({ connection, dataDir: at("other"), place: elsewhere });
    await other[Symbol.asyncDispose]();
    await put(await dataOf(elsewhere.name));
    await holds(() => assert.match(here.secret.report().problem?.detail ?? "", /another mesh/));
    const third = await startTrust({ connection, dataDir: at("third"), place });
    await holds(() => assert.match(here.secret.report().lease.holder, /./));
    await third[Symbol.asyncDispose]();
    await sleep(5_000);
    const { spec } = await leases.readNamespacedLease(place);
    assert.equal(spec?.holderIdentity, "", "it has taken the Lease again");
    assert.equal(here.overtaken.length, 0);
    await put(ours);
    await holds(() => assert.doesNotThrow(() => here.secret.assertMayChange()));
    await holds(() => assert.equal(here.secret.areRootsCurrent, true));
  });
});
