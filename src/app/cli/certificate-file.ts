/** PEM files that an operator names: what is wrong in one is said with its path. */

import { parsePem, PemError } from "../../core/x509/pem.ts";
import { readPipedFile } from "../../edge/config/piped-file.ts";

export interface CertificateFile {
  readonly pem: Uint8Array;
  /** DER; at least one. */
  readonly certificates: readonly Uint8Array[];
}

const fileBytesMax = 1_048_576;
const blocksMax = 256;

/** @throws PemError, PrivateFileError */
export async function readCertificateFile(
  path: string,
  signal: AbortSignal,
): Promise<CertificateFile> {
  const pem = await readPipedFile(path, fileBytesMax, signal);
  try {
    const certificates = parsePem(Buffer.from(pem).toString(), "CERTIFICATE", { blocksMax });
    return { pem, certificates };
  } catch (cause) {
    if (!(cause instanceof PemError)) throw cause;
    throw new PemError(cause.code, `${path}: ${cause.message}`, { cause });
  }
}
