import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { makeAuthority, TEST_TRUST_DOMAIN } from "../../../test/support/authority.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { makeTestLeaf } from "../../../test/support/test-leaf.ts";
import { SpiffeId } from "../../core/spiffe/id.ts";
import { trustBundle, type TrustBundle } from "../../core/spiffe/trust-bundle.ts";
import { AgentEvents } from "../../edge/telemetry/agent-events.ts";
import { HeldSet } from "./held-set.ts";

const id = SpiffeId.forServiceAccount(TEST_TRUST_DOMAIN, "shop", "cart");

test("a reply that was on its way brings no root back that was withdrawn, and the one that its leaf hangs on", async () => {
  using directory = temporaryDirectory();
  const [old, present, next] = await Promise.all(
    [1, 2, 3].map(() => makeAuthority("p256", Date.now())),
  );
  assert.ok(old && present && next);
  const bundleOf = (sequence: bigint, ...roots: readonly Uint8Array[]): TrustBundle =>
    trustBundle(TEST_TRUST_DOMAIN, sequence, roots);
  const events = new AgentEvents(pino({ level: "silent" }));
  const held = new HeldSet({ stateDir: directory.path, events, onChange: () => {} }, undefined);
  const roots = (): readonly Uint8Array[] => held.set?.bundle.roots ?? [];
  const take = async (authority: typeof old, ...came: readonly Uint8Array[]): Promise<void> => {
    const certificate = await makeTestLeaf(authority, id);
    await held.takeCertificate({
      certificate,
      receivedAtMs: Date.now(),
      bundle: bundleOf(0n, ...came),
    });
  };

  await take(present, old.root, present.root);
  await held.takeBundle(bundleOf(2n, old.root, present.root));
  await held.takeBundle(bundleOf(3n, present.root));
  await take(present, old.root, present.root);
  assert.deepEqual(roots(), bundleOf(0n, present.root).roots);
  await take(next, old.root, present.root, next.root);
  assert.deepEqual(roots(), bundleOf(0n, present.root, next.root).roots);
});
