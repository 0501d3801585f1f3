/** A server whose clock is 90 s off its API server's: what hangs on the clock is decided by its own, and all the rest by the watches. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { CoreV1Api } from "@kubernetes/client-node";
import { CODE } from "../server/grpc-wire.ts";
import { eventually } from "../support/control-plane.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { applyRights, ServerRig } from "./server-rig.ts";
import { skipKube } from "./skip-kube.ts";
import { resignToken } from "./token-review.ts";

const offSeconds = 90;

describe("a server whose clock", { skip: skipKube }, () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await startCluster();
    await applyRights(cluster);
  });
  after(() => cluster.stop());

  const start = (
    seconds: number,
    flags: Readonly<Record<string, string>> = {},
  ): Promise<ServerRig> =>
    ServerRig.start(cluster, {
      flags,
      env: {
        NODE_OPTIONS: `--import ${join(import.meta.dirname, "shifted-clock.ts")}`,
        PORTCULLIS_TEST_SHIFT_MS: `${seconds * 1_000}`,
      },
    });

  /** As the API server would have made it at another time. */
  const dated = (token: string, seconds: Readonly<Record<"nbf" | "exp", number>>): string => {
    const now = Math.floor(Date.now() / 1_000);
    const [nbf, exp] = [now + seconds.nbf, now + seconds.exp];
    return resignToken(token, { iat: nbf, nbf, exp }, cluster.tokenKeyPem);
  };

  /** By the log, which comes later than the answer. */
  const isRefusedAs = async (rig: ServerRig, reason: string): Promise<void> => {
    const refusals = () => rig.logOf("request-refused").map((line) => line["reason"]);
    await eventually(() => refusals().includes(reason));
  };

  it("is ahead issues by new tokens, ends old ones early, and sees who is gone at once", async () => {
    await using rig = await start(offSeconds);
    const { token, pod } = await rig.workload();
    assert.equal(await rig.ask(token), CODE.ok);
    assert.equal(await rig.ask(dated(token, { nbf: -600, exp: 60 })), CODE.unauthenticated);
    await isRefusedAs(rig, "token-expired");
    await cluster.deletePod(pod);
    await eventually(async () => (await rig.ask(token)) === CODE.unauthenticated, 1_000);
    await isRefusedAs(rig, "token-revoked");
    assert.equal((await rig.status()).tokenCheck, "watched");
  });

  it("is behind takes a token when its time has come here, and none that has ended for the API server and is still good here", async () => {
    await using rig = await start(-offSeconds);
    const { token } = await rig.workload();
    assert.equal(await rig.ask(token), CODE.unauthenticated);
    await isRefusedAs(rig, "token-not-yet-valid");
    assert.equal(await rig.ask(dated(token, { nbf: -offSeconds, exp: 600 })), CODE.ok);
    // By nothing but the clock.
    assert.equal(await rig.ask(dated(token, { nbf: -600, exp: -30 })), CODE.ok);
  });

  for (const [holder, other] of [
    [offSeconds, -offSeconds],
    [-offSeconds, offSeconds],
  ] as const) {
    it(`is ${holder} s off keeps its Lease and its roots beside one that is ${other} s off`, async () => {
      const core = cluster.kubeConfig().makeApiClient(CoreV1Api);
      const flags = { "trust-secret": "portcullis-trust" };
      await using rig = await start(holder, flags);
      // For as long as a start may take.
      await assert.rejects(start(other, flags), /lease-waiting|has the Lease/);
      const namespace = await cluster.namespace("clock");
      await eventually(async () => {
        const place = { namespace, name: "istio-ca-root-cert" };
        const map = await core.readNamespacedConfigMap(place).catch(() => undefined);
        return map?.data?.["root-cert.pem"] === rig.server.rootPem;
      }, 10_000);
      const { token } = await rig.workload();
      const old = dated(token, { nbf: -2 * offSeconds, exp: 600 });
      assert.equal(await rig.ask(old), CODE.ok);
    });
  }
});
