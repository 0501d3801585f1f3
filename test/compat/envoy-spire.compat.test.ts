/**
 * Envoys that were configured for SPIRE, on agents of ours: with the names that SPIRE serves, and
 * with Envoy's SPIFFE validator on files that the operator's verbs wrote.
 */

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { WorkloadCertificate } from "../../src/core/envoy/secret.ts";
import type { EnvoyObject } from "../../src/core/envoy/tls-context.ts";
import { SpiffeId, TrustDomain } from "../../src/core/spiffe/id.ts";
import { callPlain, callTls, HelloApp } from "../support/envoy.ts";
import { runVerb } from "../support/mesh-process.ts";
import { ControlPlaneProcess, Workload } from "../support/mesh.ts";
import { OpensslCa } from "../support/openssl-ca.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import {
  spiffeValidator,
  startSpireEnvoy,
  validationOverSds,
  type SpireEnvoy,
} from "./spire-envoy.ts";

const foreignDomain = TrustDomain.parse("foreign.test");
const guestId = SpiffeId.parse("spiffe://foreign.test/ns/shop/sa/guest");

interface Scene {
  readonly directory: string;
  readonly appPort: number;
  readonly server: Workload;
  readonly client: Workload;
  /** Of the foreign CA: one of its own trust domain, and one that lies about it. */
  readonly guest: WorkloadCertificate;
  readonly impostor: WorkloadCertificate;
}

interface Variant {
  readonly title: string;
  readonly certificateOf: (workload: Workload) => string;
  readonly validation: (scene: Scene, ids: readonly string[]) => EnvoyObject;
  readonly admitsGuest: boolean;
}

const variants: readonly Variant[] = [
  {
    title: "get their secrets by SPIFFE IDs",
    certificateOf: ({ id }) => id.toString(),
    validation: (_, ids) => validationOverSds("spiffe://mesh.test", ids),
    admitsGuest: false,
  },
  {
    title: "get their secrets by SPIRE's default names",
    certificateOf: () => "default",
    validation: (_, ids) => validationOverSds("ROOTCA", ids),
    admitsGuest: false,
  },
  {
    title: "get the SPIFFE validator by SPIRE's name for all bundles",
    certificateOf: () => "default",
    validation: (_, ids) => validationOverSds("ALL", ids),
    admitsGuest: false,
  },
  {
    title: "believe `svid fetch` in the SPIFFE validator, for its own trust domain only",
    certificateOf: () => "default",
    validation: ({ directory }, ids) => {
      const domain = (name: string, ...path: readonly string[]): EnvoyObject => {
        return { name, trust_bundle: { filename: join(directory, ...path) } };
      };
      const own = domain("mesh.test", "fetched", "bundle.pem");
      return spiffeValidator({ trust_domains: [own, domain("foreign.test", "foreign.pem")] }, ids);
    },
    admitsGuest: true,
  },
  {
    title: "believe `bundle show --format spiffe`, without its JWT keys, in the SPIFFE validator",
    certificateOf: () => "default",
    validation: ({ directory }, ids) =>
      spiffeValidator({ trust_bundles: { filename: join(directory, "bundles.json") } }, ids),
    admitsGuest: false,
  },
];

test("Envoys configured for SPIRE", { timeout: 60_000 }, async (t) => {
  using directory = temporaryDirectory();
  await using stack = new AsyncDisposableStack();
  const appPort = await stack.use(new HelloApp()).listen();
  const controlPlane = stack.use(await ControlPlaneProcess.create(directory.path, "1h"));
  await controlPlane.start();
  const server = stack.use(await Workload.create(controlPlane, { name: "server", appPort }));
  const client = stack.use(await Workload.create(controlPlane, { name: "client", appPort }));
  await Promise.all([server.startAgent(), client.startAgent()]);
  await writeBundles(directory.path, controlPlane.dataDir);
  const foreign = foreignCa(directory.path);
  const scene: Scene = {
    directory: directory.path,
    appPort,
    server,
    client,
    guest: foreign.issue(guestId),
    impostor: foreign.issue(client.id),
  };
  for (const variant of variants) {
    await t.test(variant.title, async () => runVariant(scene, variant));
  }
});

async function runVariant(scene: Scene, variant: Variant): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const { server, client, guest, impostor } = scene;
  const inbound = stack.use(await startEnvoyOf(server, scene, variant, [client.id, guestId]));
  const outbound = stack.use(
    await startEnvoyOf(client, scene, variant, [server.id], inbound.inbound),
  );
  for (const { process } of [inbound, outbound]) {
    await process.waitUntilLive(AbortSignal.timeout(10_000));
  }
  assert.equal(await callPlain(outbound.outbound), "hello");
  const admitted = callTls(inbound.inbound, guest);
  if (variant.admitsGuest) assert.equal((await admitted).body, "hello");
  else await assert.rejects(admitted);
  await assert.rejects(callTls(inbound.inbound, impostor));
  await assert.rejects(callTls(inbound.inbound));
  const stats = await inbound.process.stats("^listener\\.inbound\\.ssl\\.");
  const refused = stats.get("listener.inbound.ssl.fail_verify_error");
  assert.equal(refused, variant.admitsGuest ? 1 : 2);
}

async function startEnvoyOf(
  workload: Workload,
  scene: Scene,
  { certificateOf, validation }: Variant,
  peers: readonly SpiffeId[],
  serverPort?: number,
): Promise<SpireEnvoy> {
  const ids = peers.map((id) => id.toString());
  const directory = mkdtempSync(join(workload.directory, "envoy-"));
  return startSpireEnvoy({
    directory,
    sdsSocketPath: join(workload.directory, "sds.sock"),
    certificate: certificateOf(workload),
    validation: validation(scene, ids),
    appPort: scene.appPort,
    ...(serverPort !== undefined && { serverPort }),
  });
}

/** By the verbs that an operator has for it, and as Envoy takes them. */
async function writeBundles(directory: string, dataDir: string): Promise<void> {
  const own = ["--data-dir", dataDir];
  const who = ["-n", "shop", "-s", "web", "--out", join(directory, "fetched")];
  assert.equal((await runVerb("svid", "fetch", ...own, ...who)).exitCode, 0);
  const shown = await runVerb("bundle", "show", "--format", "spiffe", ...own);
  assert.equal(shown.exitCode, 0);
  const document: { keys: { use: string }[] } = JSON.parse(shown.stdout);
  // Envoy 1.40 refuses a whole bundle for one key of another use, and says so in a NACK of the
  // certificate: "missing or invalid 'use' field found in cert".
  const keys = document.keys.filter(({ use }) => use === "x509-svid");
  assert(keys.length < document.keys.length);
  const map = { trust_domains: { "mesh.test": { ...document, keys } } };
  writeFileSync(join(directory, "bundles.json"), JSON.stringify(map));
}

function foreignCa(directory: string): OpensslCa {
  const own = join(directory, "foreign");
  mkdirSync(own);
  const ca = new OpensslCa(own, foreignDomain);
  writeFileSync(join(directory, "foreign.pem"), ca.rootPem);
  return ca;
}
