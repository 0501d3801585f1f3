/** `kill -9` at each durable write between a change of trust and its Secret: nothing that was in force is lost, and no root is made anew. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { CoordinationV1Api, CoreV1Api } from "@kubernetes/client-node";
import type { SecretPlace } from "../../src/app/server/kube/trust/trust-secret-error.ts";
import { parseTrustRecord, type TrustRecord } from "../../src/core/kube/trust/trust-record.ts";
import { activeAuthority } from "../../src/core/trust/trust-state.ts";
import type { KubeConnection } from "../../src/edge/kube/kube-connection.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { skipKube } from "./skip-kube.ts";
import { trustProgram } from "./trust-killed.ts";
import { startTrust } from "./trust-rig.ts";

const armedModule = join(import.meta.dirname, "../rotation/kill-when-armed.ts");

describe("a server that is killed while it changes trust", { skip: skipKube }, () => {
  let cluster: Cluster;
  let connection: KubeConnection;
  let core: CoreV1Api;

  before(async () => {
    cluster = await startCluster();
    connection = await cluster.connection();
    core = cluster.kubeConfig().makeApiClient(CoreV1Api);
  });

  after(async () => {
    await cluster.stop();
  });

  const newPlace = async (): Promise<SecretPlace> => ({
    namespace: await cluster.namespace("kill"),
    name: "portcullis-trust",
  });

  const published = async (place: SecretPlace): Promise<TrustRecord | undefined> => {
    const secret = await core.readNamespacedSecret({ ...place }).catch(() => undefined);
    const record = secret?.data?.["trust.json"];
    return record === undefined
      ? undefined
      : parseTrustRecord(Buffer.from(record, "base64").toString());
  };

  /** @param order as `kill-when-armed.ts` takes it. @returns names of the writes that there were, and the epochs in force */
  async function run(place: SecretPlace, dataDir: string, order: string) {
    using directory = temporaryDirectory();
    const armed = join(directory.path, "armed");
    writeFileSync(armed, order);
    const { namespace, name } = place;
    const child = spawn(
      process.execPath,
      ["--import", armedModule, trustProgram, cluster.adminKubeconfig, namespace, name, dataDir],
      {
        stdio: ["ignore", "pipe", "inherit"],
        env: { ...process.env, PORTCULLIS_TEST_ARMED: armed },
      },
    );
    const [out, [, signal]] = await Promise.all([text(child.stdout), once(child, "exit")]);
    const writes = readFileSync(`${armed}.seen`, "utf8").trim().split("\n");
    return { writes, signal, epochs: out.trim().split("\n").filter(Boolean).map(Number) };
  }

  /** Whatever was written: both go on as one, a lost disk has what was in force, and nobody takes the one that was killed for another. */
  async function assertGoesOn(
    place: SecretPlace,
    dataDir: string,
    { inForce, isAlone }: { readonly inForce: number; readonly isAlone: boolean },
  ): Promise<void> {
    const left = await published(place);
    assert.ok((left?.state.epoch ?? 0) >= inForce, "what was in force is not in the Secret");
    {
      await using here = await startTrust({ connection, dataDir, place });
      if (isAlone) assert.deepEqual(here.lostUntilMs, [], "it was taken for another");
      const now = await published(place);
      assert.equal(now?.state.epoch, here.state().epoch);
      assert.ok(here.state().epoch >= (left?.state.epoch ?? 0), "an epoch went back");
      const root = activeAuthority(here.state()).id;
      assert.equal(left === undefined ? root : activeAuthority(left.state).id, root, "a new root");
      here.change();
      await here.secret.publish();
    }
    using fresh = temporaryDirectory();
    await using there = await startTrust({ connection, dataDir: fresh.path, place });
    assert.equal(there.state().epoch, (await published(place))?.state.epoch);
  }

  const killedAt = async (order: string, from: "nothing" | "a Secret"): Promise<void> => {
    const place = await newPlace();
    if (from === "a Secret") {
      using lost = temporaryDirectory();
      await using _ = await startTrust({ connection, dataDir: lost.path, place });
    }
    using directory = temporaryDirectory();
    const { signal, epochs } = await run(place, directory.path, order);
    assert.equal(signal, "SIGKILL", "it ended before it was killed");
    const coordination = cluster.kubeConfig().makeApiClient(CoordinationV1Api);
    // As after its duration: nobody can know that its holder was killed.
    await coordination.deleteNamespacedLease({ ...place }).catch(() => undefined);
    const isAlone = from === "nothing";
    await assertGoesOn(place, directory.path, { inForce: epochs.at(-1) ?? 0, isAlone });
  };

  for (const [from, first, count] of [
    // After the schema: the directory's name; the trust, its lineage, an attempt, [the Secret], known; the change, an attempt, [the Secret], known.
    ["nothing", "fact-remember", 8],
    ["a Secret", "fact-remember", 6],
  ] as const) {
    it(`goes on where it was left, begun from ${from}`, { timeout: 180_000 }, async () => {
      const place = await newPlace();
      if (from === "a Secret") {
        using lost = temporaryDirectory();
        await using _ = await startTrust({ connection, dataDir: lost.path, place });
      }
      using directory = temporaryDirectory();
      const { writes } = await run(place, directory.path, "none");
      const begin = writes.indexOf(first);
      assert.ok(writes.length - begin >= count, writes.join(" "));
      for (let at = begin; at < writes.length; at++) {
        for (const moment of ["before", "after"]) await killedAt(`${moment}:${at + 1}`, from);
      }
    });
  }
});
