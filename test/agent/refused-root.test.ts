/** What a real Envoy does after it has refused a trust bundle, and what the agent's channel does about it. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { SecretChannel } from "../../src/app/agent/secret-channel.ts";
import { PolicyOwner } from "../../src/app/agent/policy/policy-owner.ts";
import { SdsService } from "../../src/app/agent/sds-service.ts";
import { XdsCalls } from "../../src/app/agent/xds-calls.ts";
import {
  encodeBundleSecrets,
  encodeCertificateSecrets,
  nothingYet,
  secretSnapshot,
} from "../../src/app/agent/secrets.ts";
import { envoyBootstrap } from "../../src/core/envoy/bootstrap.ts";
import { parseInbound } from "../../src/core/envoy/listen.ts";
import {
  validationSecrets,
  type SecretEvidence,
  type WorkloadCertificate,
} from "../../src/core/envoy/secret.ts";
import { SpiffeId, TrustDomain } from "../../src/core/spiffe/id.ts";
import { trustBundle } from "../../src/core/spiffe/trust-bundle.ts";
import { parseSinglePem } from "../../src/core/x509/pem.ts";
import type { Snapshot } from "../../src/core/xds/resource.ts";
import type { Subscription } from "../../src/core/xds/subscription.ts";
import { startEnvoy } from "../../src/edge/envoy/process.ts";
import { createLocalServer } from "../../src/edge/rpc/grpc-server.ts";
import { listenOnUnixSocket } from "../../src/edge/rpc/unix-listener.ts";
import { callTls, freePort, HelloApp, testEnvoy, until } from "../support/envoy.ts";
import { OpensslCa } from "../support/openssl-ca.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const trustDomain = TrustDomain.parse("td.test");
const id = SpiffeId.forServiceAccount(trustDomain, "shop", "server");

interface Scene extends AsyncDisposable {
  readonly inbound: number;
  readonly issue: () => WorkloadCertificate;
  /** @param isGood whether Envoy can read all roots of the bundle */
  readonly publish: (certificate: WorkloadCertificate, isGood: boolean) => void;
  readonly held: (name: string) => Subscription<SecretEvidence> | undefined;
}

test("without the last good bundle, an Envoy that refused one refuses certificates, too", async () => {
  using directory = temporaryDirectory();
  await using scene = await openScene(directory.path, withoutRestoring);
  const { publish, issue, held } = scene;
  publish(issue(), false);
  await until(() => held("ROOTCA")?.nack !== undefined, "the bundle is refused");
  publish(issue(), false);
  await until(() => held("default")?.nack !== undefined, "and the certificate");
  assert.notEqual(held("default")?.acked, undefined);
});

test("with it, an Envoy takes each certificate, and the refusal stays known until it is over", async () => {
  using directory = temporaryDirectory();
  await using scene = await openScene(directory.path, (snapshot) => snapshot);
  const { publish, issue, held, inbound } = scene;
  const first = issue();
  publish(first, true);
  await until(() => serialOf(held) === first.serialHex, "the first certificate");
  const acked = held("ROOTCA")?.acked?.version;
  // Bundle and certificate at the same time, as after a compromise; then a certificate alone.
  for (const next of [issue(), issue()]) {
    publish(next, false);
    await until(() => serialOf(held) === next.serialHex, "a certificate beside a bad bundle");
    assert.equal((await callTls(inbound, first)).serialHex, next.serialHex);
    assert.notEqual(held("ROOTCA")?.nack, undefined);
    assert.equal(held("ROOTCA")?.acked?.version, acked);
    assert.equal(held("default")?.nack, undefined);
  }
  await sleep(200);
  const last = issue();
  publish(last, true);
  await until(() => serialOf(held) === last.serialHex, "the last certificate");
  assert.equal(held("ROOTCA")?.nack, undefined);
  assert.equal(held("ROOTCA")?.acked?.version, acked);
});

function withoutRestoring({ resources, pending }: Snapshot<SecretEvidence>) {
  return { resources, pending };
}

/** Envoy is live on a first certificate. @param change of what the channel is given */
async function openScene(
  directory: string,
  change: (snapshot: Snapshot<SecretEvidence>) => Snapshot<SecretEvidence>,
): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const ca = new OpensslCa(directory, trustDomain);
  const root = parseSinglePem(ca.rootPem, "CERTIFICATE");
  const good = encodeBundleSecrets(trustBundle(trustDomain, 1n, [root]));
  const unreadable = trustBundle(trustDomain, 2n, [root, new Uint8Array(64).fill(48)]);
  const bad = { ...good, bundle: unreadable, secrets: validationSecrets(unreadable) };
  const channel = new SecretChannel(
    {
      nowMs: Date.now,
      streamsMax: 8,
      onEvidence: () => {},
      onFact: () => {},
      beforeAnswer: () => {},
      onBundleFetched: () => {},
    },
    nothingYet,
  );
  const sdsSocketPath = join(directory, "sds.sock");
  const adminSocketPath = join(directory, "admin.sock");
  const grpc = createLocalServer();
  const peer = { channel, owner: new PolicyOwner() };
  new SdsService(new XdsCalls(() => peer, 8)).addTo(grpc);
  stack.use(await listenOnUnixSocket(grpc, sdsSocketPath, 0o600));
  const app = stack.use(new HelloApp());
  const inbound = await freePort();
  const bootstrap = envoyBootstrap({
    nodeId: "proxy-1",
    nodeCluster: "shop",
    trustDomain,
    sdsSocketPath,
    adminSocketPath,
    inbound: [parseInbound(`127.0.0.1:${inbound}=127.0.0.1:${await app.listen()}`)],
    outbound: [],
  });
  const binary = await testEnvoy();
  const envoy = stack.use(await startEnvoy({ binary, bootstrap, adminSocketPath, directory }));
  const publish = (certificate: WorkloadCertificate, isGood: boolean): void => {
    const secrets = encodeCertificateSecrets(certificate);
    channel.publish(change(secretSnapshot(secrets, isGood ? good : bad, Date.now())));
  };
  const held = (name: string): Subscription<SecretEvidence> | undefined =>
    [...channel.streams].flatMap(({ subscriber }) => subscriber.subscriptions.get(name) ?? [])[0];
  publish(ca.issue(id), true);
  await envoy.waitUntilLive(AbortSignal.timeout(10_000));
  await until(() => held("ROOTCA")?.acked !== undefined, "the first bundle");
  await until(() => held("default")?.acked !== undefined, "the first certificate");
  const owned = stack.move();
  const dispose = { [Symbol.asyncDispose]: async () => owned.disposeAsync() };
  return { inbound, issue: () => ca.issue(id), publish, held, ...dispose };
}

function serialOf(held: Scene["held"]): string | undefined {
  const { acked } = held("default") ?? {};
  return acked?.evidence.certificate?.serialHex;
}
