/** The roots that the server is verified with, from the operator's file, read anew each time, and from the held bundle. */

import { hash } from "node:crypto";
import type { WorkloadCertificate } from "../../core/envoy/secret.ts";
import { rootsDigest } from "../../core/spiffe/roots-digest.ts";
import { ChainError, verifyChain } from "../../core/x509/chain.ts";
import { encodeCertificates, parsePem } from "../../core/x509/pem.ts";
import { PrivateFileError, readBoundedFile } from "../../edge/config/private-files.ts";
import { decideServerTrust, type ServerFile } from "./server-trust.ts";
import type { WorkloadSet } from "./workload-set.ts";

const fileBytesMax = 1_048_576;
const rootsMax = 64;

interface ReadFile extends ServerFile {
  readonly pem: Uint8Array;
}

export interface ServerRoots {
  /** To verify the server with. */
  readonly pem: Uint8Array;
  /** Undefined where it cannot be read, and is not needed. */
  readonly file: ServerFile | undefined;
}

/** @throws PrivateFileError where the file is needed */
export async function readServerRoots(
  path: string,
  held: WorkloadSet | undefined,
  nowMs: number,
): Promise<ServerRoots> {
  const file = await readServerFile(path).catch((error: unknown) => {
    if (error instanceof PrivateFileError) return error;
    throw error;
  });
  const found = file instanceof PrivateFileError ? undefined : file;
  const isValid = held !== undefined && nowMs < held.certificate.notAfterMs;
  const trust = decideServerTrust(held?.anchor, found?.digest, isValid);
  const bundlePem = Buffer.from(
    trust === "file" || held === undefined ? "" : encodeCertificates(held.bundle.roots),
  );
  if (trust === "bundle") return { pem: bundlePem, file: found };
  if (file instanceof PrivateFileError) throw file;
  // The bundle first: a file that is being written may end in the middle of a certificate.
  return { pem: Buffer.concat([bundlePem, file.pem]), file };
}

/** @throws PrivateFileError */
export async function readServerFile(path: string): Promise<ReadFile> {
  const pem = await readBoundedFile(path, fileBytesMax);
  try {
    const roots = parsePem(Buffer.from(pem).toString(), "CERTIFICATE", { blocksMax: rootsMax });
    return { pem, roots, digest: rootsDigest(roots) };
  } catch {
    return { pem, roots: [], digest: hash("sha256", pem, "hex") };
  }
}

/** @returns false only when the file's roots can be read, and none of them is above the certificate */
export function isOfRoots(
  { chain }: WorkloadCertificate,
  { roots }: ServerFile,
  nowMs: number,
): boolean {
  if (roots.length === 0) return true;
  try {
    verifyChain(chain, roots, nowMs);
    return true;
  } catch (error) {
    return !(error instanceof ChainError && error.code === "chain-no-root");
  }
}
