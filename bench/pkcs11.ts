/**
 * What it costs to have the CA's key in a token: signatures by a SoftHSM against signatures by this
 * process, of the same kinds of key, in turns. A hardware token has its own figures; what is ours
 * in them, the way to the module and back, is the same.
 */

import { setImmediate } from "node:timers/promises";
import { softwareSigner, type Signer } from "../src/core/x509/signer.ts";
import { openPkcs11Signer } from "../src/edge/pkcs11/pkcs11-signer.ts";
import { ecTestKey, rsaTestKey } from "../test/support/csr.ts";
import { SoftHsm, whyNoSoftHsm } from "../test/support/softhsm.ts";
import type { Measure } from "./report.ts";

export type Pkcs11Outcome =
  | { readonly kind: "measured"; readonly measures: readonly Measure[] }
  | { readonly kind: "skipped"; readonly reason: string };

const runs = 5;
const runMs = 100;
/** About as long as the to-be-signed part of a workload's certificate. */
const message: Uint8Array = Buffer.alloc(400, "to be signed");

/** Takes two seconds, once in a process: the module keeps the SoftHSM that it began with. */
export async function measurePkcs11(signal?: AbortSignal): Promise<Pkcs11Outcome> {
  signal?.throwIfAborted();
  const reason = whyNoSoftHsm();
  if (reason !== false) return { kind: "skipped", reason };
  using hsm = new SoftHsm();
  hsm.initToken("bench");
  using stack = new DisposableStack();
  const keys = [
    { name: "P-256", label: "p256", ...ecTestKey("P-256") },
    { name: "RSA-2048", label: "rsa2048", ...rsaTestKey(2048) },
  ];
  for (const [index, { label, privateKey }] of keys.entries()) {
    hsm.importKey("bench", { label, id: `0${index}`, privateKey });
  }
  const candidates = keys.flatMap(({ name, label, privateKey, spki }) => [
    candidate(`${name}, SoftHSM`, stack.use(openPkcs11Signer(hsm.uri(`object=${label}`), spki))),
    candidate(`${name}, node:crypto`, softwareSigner(privateKey, spki)),
  ]);
  for (let run = 0; run < runs; run++) {
    for (const { signer, micros } of candidates) {
      signal?.throwIfAborted();
      micros.push(microsPerSignature(signer));
      await setImmediate();
    }
  }
  return { kind: "measured", measures: candidates.flatMap(toMeasures) };
}

interface Candidate {
  readonly name: string;
  readonly signer: Signer;
  /** For one signature, in each run. */
  readonly micros: number[];
}

function candidate(name: string, signer: Signer): Candidate {
  // The first signatures find nothing in the caches, and are not counted.
  for (let count = 0; count < 10; count++) signer.sign(message);
  return { name, signer, micros: [] };
}

function microsPerSignature(signer: Signer): number {
  const startedMs = performance.now();
  let count = 0;
  let elapsedMs = 0;
  while (elapsedMs < runMs) {
    signer.sign(message);
    count++;
    elapsedMs = performance.now() - startedMs;
  }
  return (1_000 * elapsedMs) / count;
}

function toMeasures({ name, micros }: Candidate): Measure[] {
  return [
    { name: `${name}: a signature`, kind: "cpu", runs: micros },
    { name: `${name}: signatures`, kind: "rate", runs: micros.map((value) => 1e6 / value) },
  ];
}
