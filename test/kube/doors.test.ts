/** The other doors of a server in a cluster: batches and JWT-SVIDs; its start, and a reload. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { pino } from "pino";
import { openKube } from "../../src/app/server/kube/open-kube.ts";
import { KubeConnection } from "../../src/edge/kube/kube-connection.ts";
import { KubeError } from "../../src/edge/kube/kube-error.ts";
import {
  MeshService,
  MintJwtSvidRequestSchema,
  MintJwtSvidResponseSchema,
} from "../../src/gen/portcullis/mesh/v1/mesh_pb.ts";
import { createJoinToken } from "../../src/edge/rpc/join-token-client.ts";
import { methodDefinition } from "../../src/edge/rpc/service-definition.ts";
import { signBatch } from "../server/batch-rig.ts";
import { CODE, dialWire, frame, sign, WIRE_CSR, WIRE_KEY } from "../server/grpc-wire.ts";
import type { MeshIdentity } from "../server/mesh-client.ts";
import { eventually, testConfig } from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { mayRead, OurAccount } from "./access.ts";
import { audience, ClusterCallers } from "./cluster-callers.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import type { ObjectRef } from "./objects.ts";
import { serviceAccountIssuer } from "./servers.ts";
import { skipKube } from "./skip-kube.ts";

const { path: mintPath } = methodDefinition(MeshService, MeshService.method.mintJwtSvid);

describe("a server in a cluster", { skip: skipKube }, () => {
  let cluster: Cluster;
  let agent: ObjectRef;
  before(async () => {
    cluster = await startCluster();
    agent = await cluster.serviceAccount(await cluster.namespace("mesh"), "node-agent");
  });
  after(() => cluster.stop());

  for (const check of ["watched", "review", "review-always"]) {
    it(`lets the entries of a batch in by ${check}, each by its own token, wherever the node is`, async () => {
      await using callers = await ClusterCallers.start(cluster, {
        "token-check": check,
        "pod-address": "refuse",
        "node-agent": [`spiffe://cluster.local/ns/${agent.namespace}/sa/${agent.name}`],
      });
      const identity = await identityOf(callers);
      const node = (await cluster.node("node")).name;
      const here = await callers.workload({ node, ip: "10.1.2.3" });
      const goes = await callers.workload({ node, ip: "10.1.2.4" });
      const entries = [here, goes].map(({ token }) => ({ token, csr: WIRE_CSR }));
      const ask = async (): Promise<readonly (string | number)[]> =>
        (await signBatch(callers.server, entries, identity)).results.map(({ result }) =>
          result.case === "certificate" ? result.value.spiffeId : (result.value?.code ?? ""),
        );
      assert.deepEqual(await ask(), [here.id, goes.id]);
      await cluster.deletePod(goes.pod);
      await eventually(async () => {
        const [first, second] = await ask();
        return first === here.id && second === CODE.unauthenticated;
      });
    });

    it(`mints a JWT-SVID by ${check}, and none for a pod that is gone`, async () => {
      await using callers = await ClusterCallers.start(cluster, { "token-check": check });
      await using wire = dialWire(callers.server);
      const { token, pod, id } = await callers.workload();
      const request = create(MintJwtSvidRequestSchema, { audience: ["db"] });
      const body = frame(toBinary(MintJwtSvidRequestSchema, request));
      const mint = () => wire.call(mintPath, body, { authorization: `Bearer ${token}` });
      const { code, message, messages } = await mint();
      assert.equal(code, CODE.ok, message);
      const [first = new Uint8Array()] = messages;
      assert.equal(fromBinary(MintJwtSvidResponseSchema, first).spiffeId, id);
      await cluster.deletePod(pod);
      await eventually(async () => (await mint()).code === CODE.unauthenticated);
    });
  }

  it("renews by certificate for an account that exists, and not for its successor", async () => {
    await using callers = await ClusterCallers.start(cluster, { "renew-by-certificate": "true" });
    const { account, id } = await callers.workload();
    // Creation times have whole seconds, and so have enrolments; and a second is for two clocks.
    await sleep(3_100);
    const { admin } = callers.server.controlPlane.endpoints;
    const { token } = await createJoinToken(admin, { spiffeId: id, ttlSeconds: 0 });
    const joined = await callers.call(token);
    assert.equal(joined.code, CODE.ok, joined.message);
    const key = WIRE_KEY.privateKey.export({ format: "pem", type: "pkcs8" });
    const cert = joined.certChain.slice(0, -1).join("");
    await using wire = dialWire(callers.server, { cert, key });
    const renew = async (): Promise<string> => {
      const reply = await sign(wire, { authorization: null });
      return reply.code === CODE.ok ? "issued" : String(callers.refusalOf(reply)["reason"]);
    };
    assert.equal(await renew(), "issued");
    await cluster.deleteServiceAccount(account);
    await eventually(async () => (await renew()) === "renewal-revoked", 1_000);
    await sleep(1_100);
    const again = await cluster.serviceAccount(account.namespace, account.name);
    const successor = await cluster.tokenOf(again, { audience });
    await eventually(async () => (await callers.ask(successor)) === "issued");
    assert.equal(await renew(), "renewal-revoked");
  });

  it("takes other audiences over while it runs, and none that is an operator's", async () => {
    await using callers = await ClusterCallers.start(cluster);
    const { account, pod, token } = await callers.workload();
    const { controlPlane, config } = callers.server;
    assert.equal(await callers.ask(token), "issued");
    await controlPlane.reload({ ...config, audiences: ["vault"] });
    assert.equal(await callers.ask(token), "token-audience");
    const other = await cluster.tokenOf(account, { pod, audience: "vault" });
    assert.equal(await callers.ask(other), "issued");
    await assert.rejects(
      controlPlane.reload({ ...config, audiences: [audience, config.adminAudience] }),
      { code: "config-conflict" },
    );
    assert.equal(await callers.ask(other), "issued");
    // Whose keys count hangs on the cluster, which needs a restart.
    const elsewhere = { kubernetes: "off", tokenIssuer: "https://x", jwks: "/none" };
    const { needRestart } = await controlPlane.reload({ ...config, ...elsewhere });
    assert.ok(needRestart.includes("kubernetes.api"));
    assert.equal(await callers.ask(token), "issued");
  });

  it("does not start with an audience of operators that is the API server's own", async () => {
    const shared = { "admin-audience": serviceAccountIssuer };
    const started = ClusterCallers.start(cluster, shared).then((it) => it[Symbol.asyncDispose]());
    await assert.rejects(started, { code: "config-conflict", path: "--admin-audience" });
  });

  it("does not start where it may not read what decides, and says which line is missing", async () => {
    await using ours = await OurAccount.make(cluster, [mayRead("serviceaccounts")]);
    const error = await startFailure(ours, 1_500);
    assert.equal(error.code, "kube-forbidden");
    assert.match(error.hint ?? "", /resources: \["pods"\], verbs: \["list"\]/);
  });

  it("does not wait for ever for an API server that does not answer", async () => {
    await using ours = await OurAccount.make(cluster);
    cluster.freeze();
    try {
      const beganMs = performance.now();
      const error = await startFailure(ours, 1_000);
      assert.equal(error.code, "kube-unreachable");
      assert.match(error.hint ?? "", /is the API server there/);
      assert.ok(performance.now() - beganMs < 8_000);
    } finally {
      cluster.thaw();
    }
  });

  async function identityOf(callers: ClusterCallers): Promise<MeshIdentity> {
    const reply = await callers.call(await cluster.tokenOf(agent, { audience }));
    assert.equal(reply.code, CODE.ok, reply.message);
    const privateKey = WIRE_KEY.privateKey.export({ format: "pem", type: "pkcs8" });
    return { certificateChain: reply.certChain[0] ?? "", privateKey };
  }
});

async function startFailure({ access }: OurAccount, waitMs: number): Promise<KubeError> {
  await using owned = new AsyncDisposableStack();
  using directory = temporaryDirectory();
  const connection = owned.use(new KubeConnection({ access }));
  const options = {
    config: testConfig(directory.path, { kubernetes: "/kubeconfig" }),
    connection,
    log: pino({ level: "silent" }),
    monotonicMs: () => performance.now(),
    signal: new AbortController().signal,
    waitMs,
  };
  const error: unknown = await openKube(options, owned).then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(error instanceof KubeError, String(error));
  return error;
}
