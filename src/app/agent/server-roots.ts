/**
 * The roots of the server, as the operator has given them; read anew each time. They tell, too, whether a certificate of
 * ours is still worth anything there: a server whose root was lost and made anew believes none of the old one's.
 */

import type { WorkloadCertificate } from "../../core/envoy/secret.ts";
import { ChainError, verifyChain } from "../../core/x509/chain.ts";
import { parsePem } from "../../core/x509/pem.ts";
import { readBoundedFile } from "../../edge/config/private-files.ts";

const fileBytesMax = 1_048_576;
const rootsMax = 64;

/** @returns PEM. @throws PrivateFileError */
export async function readServerRoots(file: string): Promise<Uint8Array> {
  return readBoundedFile(file, fileBytesMax);
}

/** @returns false only when the roots can be read, and none of them is above the certificate */
export function isOfRoots(
  { chain }: WorkloadCertificate,
  rootsPem: Uint8Array,
  nowMs: number,
): boolean {
  try {
    const text = Buffer.from(rootsPem).toString();
    verifyChain(chain, parsePem(text, "CERTIFICATE", { blocksMax: rootsMax }), nowMs);
    return true;
  } catch (error) {
    return !(error instanceof ChainError && error.code === "chain-no-root");
  }
}
