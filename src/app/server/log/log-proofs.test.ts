import assert from "node:assert/strict";
import { test } from "node:test";
import { addCertificates, logVerifier, openStore } from "../../../../test/support/log-store.ts";
import { temporaryDirectory } from "../../../../test/support/temporary-directory.ts";
import type { Checkpoint } from "../../../core/log/checkpoint.ts";
import type { LogStore } from "../../../edge/log/log-store.ts";
import { LogProofs } from "./log-proofs.ts";

interface Rig {
  readonly proofs: LogProofs;
  readonly held: Checkpoint;
  /** Of the same size, with another root. */
  readonly forked: Checkpoint;
  /** How often the log was asked for a proof. */
  readonly read: () => number;
}

async function open(store: LogStore): Promise<Rig> {
  const { reader } = store;
  let count = 0;
  const consistency: typeof reader.consistency = (from, to) => {
    count++;
    return reader.consistency(from, to);
  };
  const counted = {
    head: () => reader.head(),
    inclusion: reader.inclusion.bind(reader),
    consistency,
  };
  const proofs = new LogProofs({ reader: counted, verifier: logVerifier, restores: () => [] });
  await addCertificates(store, 0, 3);
  const held = proofs.head().checkpoint;
  await addCertificates(store, 3, 4);
  return {
    proofs,
    held,
    forked: { ...held, root: held.root.map((octet) => octet ^ 1) },
    read: () => count,
  };
}

for (const order of ["the honest one first", "the forked one first"] as const) {
  test(`judges each of two checkpoints of one size by its root: ${order}`, async () => {
    using directory = temporaryDirectory();
    await using store = await openStore(directory.path);
    const { proofs, held, forked } = await open(store);
    const head = proofs.head(held.size + 1);
    const honestFirst = order === "the honest one first";
    for (const each of honestFirst ? [held, forked, held, forked] : [forked, held, forked, held]) {
      const expected = each === held ? undefined : "log-fork";
      assert.equal(proofs.claim(each, head).contradiction, expected);
    }
  });
}

test("reads and verifies one proof for all that hold the same checkpoint", async () => {
  using directory = temporaryDirectory();
  await using store = await openStore(directory.path);
  const { proofs, held, read } = await open(store);
  const head = proofs.head(held.size + 1);
  const claims = Array.from({ length: 5 }, () => proofs.claim({ ...held }, head));
  assert.equal(read(), 1);
  assert.ok(claims.every(({ consistency }) => consistency.length > 0));
});

test("convicts the log of a checkpoint that is larger, with no proof", async () => {
  using directory = temporaryDirectory();
  await using store = await openStore(directory.path);
  const { proofs, held, read } = await open(store);
  const head = proofs.head();
  const claim = proofs.claim({ ...held, size: head.checkpoint.size + 1 }, head);
  assert.deepEqual([claim.contradiction, claim.consistency, read()], ["log-rollback", [], 0]);
});
