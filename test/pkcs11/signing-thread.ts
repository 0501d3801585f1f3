/**
 * A thread that opens its own signer and signs: `threads.test.ts` runs several beside the main
 * thread.
 */

import { parentPort, workerData } from "node:worker_threads";
import { openPkcs11Signer } from "../../src/edge/pkcs11/pkcs11-signer.ts";

export interface SigningTask {
  readonly uri: string;
  readonly count: number;
}

/** What the signature of each index is over. */
export function messageOf(index: number): Uint8Array {
  return Buffer.from(`to be signed ${index}`);
}

if (parentPort !== null) {
  const { uri, count } = workerData as SigningTask;
  using signer = openPkcs11Signer(uri);
  parentPort.postMessage(
    Array.from({ length: count }, (_, index) => signer.sign(messageOf(index))),
  );
}
