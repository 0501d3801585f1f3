/**
 * An agent whose certificate has expired, and whose disk takes nothing: a whole rotation may have passed by, and what the next
 * life finds there is older than what its Envoys were given in this one.
 */

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { rootsDigest } from "../../src/core/spiffe/roots-digest.ts";
import { trustBundle } from "../../src/core/spiffe/trust-bundle.ts";
import { encodeCertificates } from "../../src/core/x509/pem.ts";
import { interceptDurable } from "../../src/edge/store/durable.ts";
import { ScriptedCa } from "../support/agent-ca.ts";
import { SdsClient, secretsIn, serialOf, type SotwStream } from "../support/agent-sds.ts";
import { TestAgent, type TestAgentOptions } from "../support/agent.ts";
import { makeAuthority, TEST_TRUST_DOMAIN } from "../support/authority.ts";
import { until } from "../support/envoy.ts";
import { nodeScene } from "../support/node-agent.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/** By its own clock, a certificate of an earlier life has expired. */
const later = { nowMs: (): number => Date.now() + 61_000 };

afterEach(() => interceptDurable(undefined));

function fillDisk(): void {
  interceptDurable(() => {
    throw Object.assign(new Error("no space left on device"), { code: "ENOSPC", errno: -28 });
  });
}

/** How many roots of its trust bundle an Envoy takes. */
async function takeRoots(stream: SotwStream): Promise<number> {
  const response = await stream.next();
  stream.ack(response);
  const secret = secretsIn(response).get("ROOTCA");
  assert(secret?.type.case === "validationContext");
  const specifier = secret.type.value.trustedCa?.specifier;
  assert(specifier?.case === "inlineBytes");
  return Buffer.from(specifier.value).toString().split("BEGIN CERTIFICATE").length - 1;
}

test("confirms no bundle that it cannot store, and offers no older one in its next life", async () => {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(temporaryDirectory()).path;
  const ca = stack.use(await ScriptedCa.start());
  const { address: server, rootPem, authority: old } = ca;
  const start = async (changes: Partial<TestAgentOptions>): Promise<TestAgent> =>
    stack.use(await TestAgent.start({ directory, server, serverRoot: rootPem, ...changes }));
  const first = await start({});
  await first.untilCount("mesh-connected", 1);
  await first.stop();

  const next = await makeAuthority("p256", Date.now());
  const both = trustBundle(TEST_TRUST_DOMAIN, 2n, [old.root, next.root]);
  ca.ttlSeconds = 600;
  ca.close();
  ca.trust(both, next);
  await ca.open();
  const expired = { ...later, serverRoot: encodeCertificates(both.roots) };
  fillDisk();
  const second = await start(expired);
  await second.untilCount("mesh-connected", 1);
  assert(second.events("state-not-written").length > 0);
  await until(() => ca.reports.at(-1)?.full === true, "a report");
  assert.equal(ca.reports.at(-1)?.heldRootsDigest, rootsDigest([old.root]));
  using client = new SdsClient(second.socketPath);
  using envoy = client.sotw();
  envoy.subscribe("ROOTCA");
  assert.equal(await takeRoots(envoy), 2);
  await second.stop();

  ca.close();
  const third = await start(expired);
  using again = new SdsClient(third.socketPath);
  using same = again.sotw();
  same.subscribe("ROOTCA");
  await third.untilCount("renewal-failed", 1);
  await same.assertSilent();
  interceptDurable(undefined);
  await ca.open();
  assert.equal(await takeRoots(same), 2);
  await until(
    () => ca.reports.at(-1)?.heldRootsDigest === rootsDigest(both.roots),
    "the bundle on disk",
  );
});

test("stores its bundle as soon as there is room, also while nobody renews its certificate", async () => {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(temporaryDirectory()).path;
  const ca = stack.use(await ScriptedCa.start());
  const { address: server, rootPem: serverRoot } = ca;
  const agent = stack.use(await TestAgent.start({ directory, server, serverRoot }));
  const { serial } = await agent.untilCount("certificate-received", 1);
  await until(() => ca.reports.length > 0, "a report");
  const { root } = await makeAuthority("p256", Date.now());
  const both = trustBundle(TEST_TRUST_DOMAIN, 2n, [...ca.authority.bundle.roots, root]);
  fillDisk();
  ca.push(both);
  await agent.untilCount("state-not-written", 1);
  for (let count = 0; count < 20; count++) ca.script.push(() => ({ code: status.UNAVAILABLE }));
  ca.renew(String(serial));
  await agent.untilCount("renewal-failed", 1);
  interceptDurable(undefined);
  await until(
    () => ca.reports.at(-1)?.heldRootsDigest === rootsDigest(both.roots),
    "the bundle on disk",
  );
  assert.equal(agent.events("certificate-received").length, 1);
});

test("a node agent offers no workload a bundle that is older than its certificate", async () => {
  await using scene = await nodeScene();
  const { ca } = scene;
  const old = ca.authority;
  const next = await makeAuthority("p256", Date.now());
  const [cart, pay] = [ca.token("cart"), ca.token("pay")];
  for (const name of ["mesh/sa/node-agent", "shop/sa/cart", "shop/sa/pay"]) {
    ca.ttlSeconds.set(`spiffe://cluster.local/ns/${name}`, 600);
  }
  using early = scene.client(cart).sotw("proxy-1");
  early.subscribe("default", "ROOTCA");
  assert.equal(await takeRoots(early), 1);
  ca.bundle = trustBundle(TEST_TRUST_DOMAIN, 2n, [old.root, next.root]);
  const path = join(scene.directory, "state", "workload.json");
  const before = readFileSync(path);
  await scene.restart(later);
  await scene.agent.untilCount("mesh-connected", 1);
  ca.authority = next;
  ca.otherRoots = [old.root];
  using client = scene.client(pay);
  using envoy = client.sotw("proxy-2");
  envoy.subscribe("default", "ROOTCA");
  assert.equal(await takeRoots(envoy), 2);

  ca.close();
  await scene.agent.stop();
  // The workload's was written, and the node's own was not.
  writeFileSync(path, before);
  await scene.restart(later);
  using first = scene.client(cart).sotw("proxy-1");
  first.subscribe("default", "ROOTCA");
  const response = await first.next();
  assert(serialOf(secretsIn(response).get("default")) !== undefined);
  using second = scene.client(pay).sotw("proxy-2");
  second.subscribe("default", "ROOTCA");
  await second.assertSilent();
});
