/** One process, one module, several threads: each has a session, all have one login. */

import assert from "node:assert/strict";
import { createPublicKey, verify, type KeyObject } from "node:crypto";
import { once } from "node:events";
import { after, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { openPkcs11Signer } from "../../src/edge/pkcs11/pkcs11-signer.ts";
import { ecTestKey } from "../support/csr.ts";
import { SoftHsm, whyNoSoftHsm } from "../support/softhsm.ts";
import { messageOf, type SigningTask } from "./signing-thread.ts";

describe("signers in several threads", { skip: whyNoSoftHsm() }, () => {
  const hsm = new SoftHsm();
  after(() => hsm[Symbol.dispose]());
  const { privateKey, spki } = ecTestKey("P-256");
  const key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
  hsm.initToken("ca");
  hsm.importKey("ca", { label: "key", id: "01", privateKey });
  const task: SigningTask = { uri: hsm.uri("token=ca;object=key"), count: 1_000 };

  it("wait for the main thread to open the first", async () => {
    await assert.rejects(signInThread(task), { code: "pkcs11-module-unusable" });
  });

  it("sign at the same time, and every signature verifies", async () => {
    using signer = openPkcs11Signer(task.uri);
    const done = new AbortController();
    const others = Promise.all([signInThread(task), signInThread(task)]).finally(() =>
      done.abort(),
    );
    const ours: Uint8Array[] = [];
    while (ours.length < task.count || !done.signal.aborted) {
      for (let count = 0; count < 50; count++) ours.push(signer.sign(messageOf(ours.length)));
      await setImmediate();
    }
    for (const signatures of [ours, ...(await others)]) assertAllVerify(signatures, key);
  });

  it("stay logged in when another thread closes the last session of its own", async () => {
    using signer = openPkcs11Signer(task.uri);
    for (let round = 0; round < 3; round++) {
      assertAllVerify(await signInThread({ ...task, count: 10 }), key);
      assertAllVerify([signer.sign(messageOf(0))], key);
    }
  });
});

async function signInThread(workerData: SigningTask): Promise<Uint8Array[]> {
  const worker = new Worker(new URL("signing-thread.ts", import.meta.url), { workerData });
  const [[signatures]] = (await Promise.all([once(worker, "message"), once(worker, "exit")])) as [
    [Uint8Array[]],
    unknown,
  ];
  assert.equal(signatures.length, workerData.count);
  return signatures;
}

function assertAllVerify(signatures: readonly Uint8Array[], key: KeyObject): void {
  for (const [index, signature] of signatures.entries()) {
    assert.ok(verify("sha256", messageOf(index), key, signature), `signature ${index}`);
  }
}
