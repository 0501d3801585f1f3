/** An agent whose server goes over to another root, with the file of before; and one that has another PKI's proxy before it. */

import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { rootsDigest } from "../../src/core/spiffe/roots-digest.ts";
import { trustBundle } from "../../src/core/spiffe/trust-bundle.ts";
import { encodePem } from "../../src/core/x509/pem.ts";
import { ScriptedCa } from "../support/agent-ca.ts";
import { TestAgent, type TestAgentOptions } from "../support/agent.ts";
import { makeAuthority, TEST_TRUST_DOMAIN, type TestAuthority } from "../support/authority.ts";
import { until } from "../support/envoy.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

interface Scene extends AsyncDisposable {
  readonly ca: ScriptedCa;
  readonly old: TestAuthority;
  readonly next: TestAuthority;
  readonly directory: string;
  /** The root file is that of the first authority unless it is told otherwise. */
  readonly start: (changes?: Partial<TestAgentOptions>) => Promise<TestAgent>;
  readonly bundle: (sequence: bigint, ...of: readonly TestAuthority[]) => void;
}

async function openScene(): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(temporaryDirectory()).path;
  const ca = stack.use(await ScriptedCa.start());
  const old = ca.authority;
  const next = await makeAuthority("p256", Date.now());
  const owned = stack.move();
  const options = { directory, server: ca.address, serverRoot: ca.rootPem };
  return {
    ca,
    old,
    next,
    directory,
    start: async (changes) => owned.use(await TestAgent.start({ ...options, ...changes })),
    bundle: (sequence, ...of) => {
      const roots = of.map(({ root }) => root);
      ca.trust(trustBundle(TEST_TRUST_DOMAIN, sequence, roots), of.at(-1));
    },
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  };
}

async function restartServer({ ca }: Scene): Promise<void> {
  ca.close();
  await ca.open();
}

/** Confirmed, and so also on disk. */
async function untilHeld({ ca }: Scene, ...of: readonly TestAuthority[]): Promise<void> {
  const digest = rootsDigest(of.map(({ root }) => root));
  await until(() => ca.reports.at(-1)?.heldRootsDigest === digest, "the bundle is held");
}

test("follows its server through a whole rotation with the file of before, restarts included", async () => {
  await using scene = await openScene();
  const { ca, old, next, bundle, start } = scene;
  const agent = await start();
  await agent.untilCount("mesh-connected", 1);
  ca.trust(trustBundle(TEST_TRUST_DOMAIN, 2n, [old.root, next.root]), old);
  await untilHeld(scene, old, next);
  bundle(2n, old, next);
  await restartServer(scene);
  await agent.untilCount("mesh-connected", 2);
  bundle(3n, next);
  await untilHeld(scene, next);
  ca.renew(String(agent.events("certificate-received").at(-1)?.["serial"]));
  await agent.untilCount("certificate-received", 2);
  assert.deepEqual(agent.events("renewal-failed"), []);
  await agent.stop();
  const asked = ca.requests.length;
  const again = await start();
  await again.untilCount("mesh-connected", 1);
  // It looks for a lost root at its start: the file is not a reason to ask.
  await sleep(200);
  assert.equal(ca.requests.length, asked);
  ca.renew(String(agent.events("certificate-received").at(-1)?.["serial"]));
  await again.untilCount("certificate-received", 1);
  assert.deepEqual(again.events("renewal-failed"), []);
});

test("does not come back to a root of the file that was taken away", async () => {
  await using scene = await openScene();
  const { ca, old, next, bundle, start } = scene;
  const agent = await start();
  await agent.untilCount("mesh-connected", 1);
  bundle(2n, next);
  await untilHeld(scene, next);
  // Whoever has the key of the first root speaks now.
  ca.authority = old;
  ca.trust(trustBundle(TEST_TRUST_DOMAIN, 3n, [old.root]), old);
  await agent.stop();
  await restartServer(scene);
  const again = await start();
  const { detail } = await again.untilCount("mesh-lost", 1);
  assert.match(String(detail), /certificate|issuer/i);
  assert.deepEqual(again.events("mesh-connected"), []);
});

test("needs no file once it holds the bundle", async () => {
  await using scene = await openScene();
  const { ca, start, directory } = scene;
  const agent = await start();
  const { serial } = await agent.untilCount("certificate-received", 1);
  await agent.untilCount("mesh-connected", 1);
  rmSync(join(directory, "root.pem"));
  await until(() => ca.meshStreams === 1, "its stream");
  ca.renew(String(serial));
  await agent.untilCount("certificate-received", 2);
  await agent.untilCount("mesh-connected", 2);
  assert.deepEqual(agent.events("renewal-failed"), []);
});

test("believes a file that was changed beside the bundle, and the server of either", async () => {
  await using scene = await openScene();
  const { ca, old, next, bundle, start, directory } = scene;
  const agent = await start();
  await agent.untilCount("mesh-connected", 1);
  await agent.stop();
  // Half of it, as while it is being copied.
  const pem = encodePem(next.root, "CERTIFICATE");
  const again = await start({ serverRoot: pem.slice(0, 100) });
  await again.untilCount("mesh-connected", 1);
  writeFileSync(join(directory, "root.pem"), pem);
  ca.close();
  // It speaks by a root that the agent's bundle does not have.
  bundle(2n, old, next);
  await ca.open();
  await again.untilCount("mesh-connected", 2);
});

test("takes the file as well when its certificate has expired meanwhile", async () => {
  await using scene = await openScene();
  const { ca, old, next, bundle, start } = scene;
  ca.ttlSeconds = 2;
  const agent = await start();
  await agent.untilCount("mesh-connected", 1);
  bundle(2n, next);
  await untilHeld(scene, next);
  await agent.stop();
  await sleep(2_000);
  ca.trust(old.bundle, old);
  await restartServer(scene);
  const again = await start();
  await again.untilCount("certificate-received", 1);
});

test("goes by the file alone behind a proxy of another PKI, also after a restart and a rotation", async () => {
  await using scene = await openScene();
  const { ca, old, next, start, directory } = scene;
  const third = await makeAuthority("p256", Date.now());
  // The port keeps the first authority's certificate: it is the proxy. No mesh stream goes through it.
  ca.bundle = undefined;
  let signer = next;
  const signed = trustBundle(TEST_TRUST_DOMAIN, 0n, [next.root, third.root]);
  for (let count = 0; count < 8; count++) {
    ca.script.push(({ publicKey }) => {
      ca.authority = signer;
      const [leaf = ""] = ca.sign(publicKey);
      const roots = signed.roots.map((each) => encodePem(each, "CERTIFICATE")).join("");
      return [leaf, roots];
    });
  }
  ca.ttlSeconds = 4;
  const agent = await start();
  await agent.untilCount("certificate-received", 1);
  signer = third;
  await agent.untilCount("certificate-received", 2);
  assert.deepEqual(agent.events("renewal-failed"), []);
  await agent.stop();
  const again = await start();
  await again.untilCount("certificate-received", 1);
  assert.deepEqual(again.events("renewal-failed"), []);
  const { anchor } = JSON.parse(readFileSync(join(directory, "state", "workload.json"), "utf8"));
  assert.deepEqual(anchor, { isMesh: false, fileDigest: rootsDigest([old.root]) });
});

test("stays with the mesh's own roots when one was taken away while its certificate came", async () => {
  await using scene = await openScene();
  const { ca, next, bundle, start } = scene;
  const agent = await start();
  const { serial } = await agent.untilCount("certificate-received", 1);
  await agent.untilCount("mesh-connected", 1);
  ca.script.push(({ publicKey }) => {
    bundle(2n, next);
    return ca.sign(publicKey);
  });
  ca.renew(String(serial));
  await agent.untilCount("certificate-received", 2);
  await untilHeld(scene, next);
  await restartServer(scene);
  // The server has a certificate of the next root now, and the file has only the old one.
  await agent.untilCount("mesh-connected", 2);
  const renewed = agent.events("certificate-received").at(-1)?.["serial"];
  ca.renew(String(renewed));
  await agent.untilCount("certificate-received", 3);
});

test("learns at the next stream that its server is the mesh's own", async () => {
  await using scene = await openScene();
  const { old, start, directory } = scene;
  const agent = await start();
  await agent.untilCount("mesh-connected", 1);
  await agent.stop();
  const path = join(directory, "state", "workload.json");
  const stored = (): { anchor: unknown } => JSON.parse(readFileSync(path, "utf8"));
  const anchor = { isMesh: false, fileDigest: rootsDigest([old.root]) };
  writeFileSync(path, JSON.stringify({ ...stored(), anchor }));
  const again = await start();
  await again.untilCount("mesh-connected", 1);
  await until(() => JSON.stringify(stored().anchor).includes("true"), "the anchor");
  assert.deepEqual(stored().anchor, { ...anchor, isMesh: true });
  assert.deepEqual(again.events("certificate-received"), []);
});
