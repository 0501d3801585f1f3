/** What is said of the trust of a running server while another state is stored: what is in force, with the deny list that is. */

import assert from "node:assert/strict";
import { it } from "node:test";
import { TrustKeeper } from "../../src/app/server/trust-keeper.ts";
import { openTrustParts } from "./trust-parts.ts";

it("keeps what is in force beside a newer deny list, and a newer deny list beside what comes into force", async () => {
  await using parts = await openTrustParts();
  const { current: first } = parts.trust;
  const keeper = new TrustKeeper(first);
  const { epoch } = first.state;
  const pending = { ...first.state, epoch: epoch + 1, bundleSequence: 9n };
  const denyDigest = Uint8Array.of(1);
  keeper.keepDenials({ ...pending, epoch: epoch + 2, denyDigest });
  assert.deepEqual(keeper.current.state, { ...first.state, epoch: epoch + 2, denyDigest });
  keeper.replace({ ...first, state: pending });
  assert.deepEqual(keeper.current.state, { ...pending, epoch: epoch + 2, denyDigest });
});
