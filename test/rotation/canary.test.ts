/** Handshakes that prove a root before it signs: a server, an agent, and real Envoys that take its certificates, or only say so. */

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { adsBootstrap } from "../../src/core/envoy/ads-bootstrap.ts";
import {
  certificateSecrets,
  secretTypeUrl,
  validationSecrets,
} from "../../src/core/envoy/secret.ts";
import { clusterTypeUrl, listenerTypeUrl } from "../../src/core/envoy/proxy-resources.ts";
import { SpiffeId, TrustDomain } from "../../src/core/spiffe/id.ts";
import { trustBundle } from "../../src/core/spiffe/trust-bundle.ts";
import { createCsr } from "../../src/core/x509/csr-create.ts";
import { parseSinglePem } from "../../src/core/x509/pem.ts";
import { startEnvoy } from "../../src/edge/envoy/process.ts";
import { LogReader } from "../../src/edge/log/log-reader.ts";
import { requestCertificate } from "../../src/edge/rpc/ca-client.ts";
import { AdsClient } from "../support/agent-ads.ts";
import { eventually, mint } from "../support/control-plane.ts";
import { testEnvoy } from "../support/envoy.ts";
import { inboundPort } from "../policy-envoy/policies.ts";
import { TestProxy } from "../policy-envoy/proxy.ts";
import { CanaryRig, proxyId, proxyLaggard, trustDomain, workloadId } from "./canary-rig.ts";

let rig: CanaryRig;
beforeEach(async () => {
  rig = await CanaryRig.open();
});
afterEach(async () => rig[Symbol.asyncDispose]());

/** That gets all from the agent. @param token for a node agent */
async function startMember(sdsSocketPath: string, token?: string): Promise<void> {
  const directory = join(rig.directory, "envoy");
  mkdirSync(directory);
  const adminSocketPath = join(directory, "admin.sock");
  const bootstrap = adsBootstrap({
    nodeId: proxyId,
    nodeCluster: "mesh",
    sdsSocketPath,
    adminSocketPath,
    sdsCredential: token === undefined ? { kind: "none" } : { kind: "token", token },
    variant: "delta",
    labels: new Map(),
  });
  const binary = await testEnvoy();
  const envoy = rig.use(await startEnvoy({ binary, bootstrap, directory, adminSocketPath }));
  await envoy.waitUntilLive(AbortSignal.timeout(15_000));
}

describe("activate, where the listeners are ours", { timeout: 60_000 }, () => {
  for (const isNode of [false, true]) {
    const whose = isNode ? "a node agent's" : "a sidecar agent's";
    it(`is allowed once ${whose} Envoy has taken a certificate of the next root`, async () => {
      const agent = await rig.agent(isNode);
      await startMember(agent.socketPath, isNode ? mint() : undefined);
      assert.deepEqual(await rig.change("prepare"), {});
      await eventually(async () => {
        const { steps, verifiers } = await rig.status();
        assert.equal(verifiers?.ackOnly, 0n);
        return steps.find(({ command }) => command === "activate")?.isAllowed;
      }, 15_000);
      const canaries = loggedCanaries();
      assert.equal(canaries.length, 1);
      assert.equal(canaries[0]?.identity, `spiffe://${trustDomain}/portcullis/canary`);
      assert.notEqual(canaries[0]?.agent, "");
      assert.deepEqual(await rig.change("activate"), {});
    });
  }

  it("is refused by name where a listener does not take it, whatever was acknowledged", async () => {
    const agent = await rig.agent();
    await startLiar();
    const stop = acknowledgeAll(agent.socketPath);
    await eventually(async () => (await rig.laggards()).length === 0, 10_000);
    assert.deepEqual(await rig.change("prepare"), {});
    const laggard = await eventually(
      async () => (await rig.laggards()).find(({ reason }) => reason === "handshake-failed"),
      15_000,
    );
    stop();
    assert.equal(laggard.name, proxyLaggard);
    assert.match(laggard.detail, new RegExp(`inbound_${rig.port}: .*unknown ca`, "i"));
    assert.deepEqual(await rig.change("activate"), { refused: "verifiers-lagging" });
  });
});

function loggedCanaries() {
  using reader = LogReader.open(rig.server.config.dataDir);
  return reader.certificates
    .page({})
    .records.map(({ intent }) => intent)
    .filter(({ artifact }) => artifact === "canary");
}

/** A real Envoy on the port of the policy, with the workload's certificate and a bundle that stays as it is. */
async function startLiar(): Promise<void> {
  const { csrPem, privateKeyPkcs8 } = await createCsr();
  const serverRoots = Buffer.from(rig.server.rootPem);
  const request = { server: rig.server.address, serverRoots, token: mint(), csrPem };
  const [leaf = ""] = await requestCertificate(
    { ...request, ttlSeconds: 0, timeoutMs: 5_000 },
    AbortSignal.timeout(5_000),
  );
  const certificate = {
    id: SpiffeId.parse(workloadId),
    chain: [parseSinglePem(leaf, "CERTIFICATE")],
    privateKeyPkcs8,
    serialHex: "01",
    notAfterMs: 0,
  };
  const root = parseSinglePem(rig.server.rootPem, "CERTIFICATE");
  const bundle = trustBundle(TrustDomain.parse(trustDomain), 1n, [root]);
  const secrets = [...certificateSecrets(certificate), ...validationSecrets(bundle)];
  const envoy = rig.use(await TestProxy.start(join(rig.directory, "liar"), secrets));
  const app = { kind: "ip", host: "127.0.0.1", port: 1 } as const;
  await envoy.apply({ inbound: [inboundPort(rig.port, "http", "permissive", app)] });
}

/** Speaks as an Envoy of the agent that takes everything. @returns its end */
function acknowledgeAll(socketPath: string): () => void {
  const stream = rig.use(new AdsClient(socketPath)).sotw();
  const names = ["default", "ROOTCA"];
  stream.send({ node: { id: proxyId }, typeUrl: clusterTypeUrl });
  stream.send({ typeUrl: listenerTypeUrl });
  stream.send({ typeUrl: secretTypeUrl, resourceNames: names });
  const timer = setInterval(() => {
    for (const each of stream.take()) {
      stream.ack(each, ...(each.typeUrl === secretTypeUrl ? names : []));
    }
  }, 20);
  return () => clearInterval(timer);
}
