import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import {
  makeAuthority,
  TEST_TRUST_DOMAIN,
  type TestAuthority,
} from "../../../test/support/authority.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { makeTestLeaf } from "../../../test/support/test-leaf.ts";
import { SpiffeId } from "../../core/spiffe/id.ts";
import { trustBundle, type TrustBundle } from "../../core/spiffe/trust-bundle.ts";
import { AgentEvents } from "../../edge/telemetry/agent-events.ts";
import { HeldSet } from "./held-set.ts";

const id = SpiffeId.forServiceAccount(TEST_TRUST_DOMAIN, "shop", "cart");

const bundleOf = (sequence: bigint, ...roots: readonly Uint8Array[]): TrustBundle =>
  trustBundle(TEST_TRUST_DOMAIN, sequence, roots);

async function makeRoots(): Promise<readonly [TestAuthority, TestAuthority, TestAuthority]> {
  const make = async (): Promise<TestAuthority> => makeAuthority("p256", Date.now());
  return Promise.all([make(), make(), make()]);
}

interface Scene extends Disposable {
  readonly held: HeldSet;
  readonly roots: () => readonly Uint8Array[];
  /** @param came the roots of the reply */
  readonly take: (
    authority: TestAuthority,
    came: readonly Uint8Array[],
    receivedAtMs?: number,
  ) => Promise<void>;
}

function openScene(): Scene {
  const directory = temporaryDirectory();
  const events = new AgentEvents(pino({ level: "silent" }));
  const held = new HeldSet({ stateDir: directory.path, events, onChange: () => {} }, undefined);
  return {
    held,
    roots: () => held.set?.bundle.roots ?? [],
    take: async (authority, came, receivedAtMs = Date.now()) => {
      const certificate = await makeTestLeaf(authority, id);
      const bundle = bundleOf(0n, ...came);
      await held.takeCertificate({ certificate, receivedAtMs, bundle });
    },
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  };
}

test("a reply that was on its way brings no root back that was withdrawn, and the one that its leaf hangs on", async () => {
  using scene = openScene();
  const { held, roots, take } = scene;
  const [old, present, next] = await makeRoots();
  await take(present, [old.root, present.root]);
  await held.takeBundle(bundleOf(2n, old.root, present.root));
  await held.takeBundle(bundleOf(3n, present.root));
  await take(present, [old.root, present.root]);
  assert.deepEqual(roots(), bundleOf(0n, present.root).roots);
  await take(next, [old.root, present.root, next.root]);
  assert.deepEqual(roots(), bundleOf(0n, present.root, next.root).roots);
});

test("in the place of an expired certificate, one comes with all roots of its reply that were not withdrawn", async () => {
  using scene = openScene();
  const { held, roots, take } = scene;
  const [withdrawn, present, next] = await makeRoots();
  await take(present, [withdrawn.root, present.root]);
  await held.takeBundle(bundleOf(2n, present.root));
  const all = [withdrawn.root, present.root, next.root];
  await take(present, all);
  assert.deepEqual(roots(), bundleOf(0n, present.root).roots);
  const notAfterMs = held.set?.certificate.notAfterMs ?? 0;
  await take(present, all, notAfterMs);
  assert.deepEqual(roots(), bundleOf(0n, present.root, next.root).roots);
  assert.equal(held.bundleSequence, 2n);
});
