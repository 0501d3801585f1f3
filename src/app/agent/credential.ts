/**
 * What an agent proves its identity with when it asks for a certificate: read anew each time, because files change under
 * an agent that runs for months.
 */

import { randomUUID } from "node:crypto";
import { PortcullisError } from "../../core/error.ts";
import { encodeCertificates, encodePem } from "../../core/x509/pem.ts";
import { createX5cToken } from "../../edge/authn/x5c-token.ts";
import { PrivateFileError, readBoundedFile } from "../../edge/config/private-files.ts";
import type { ClientIdentity } from "../../edge/rpc/dial.ts";
import type { WorkloadSet } from "./workload-set.ts";

export type CredentialSource =
  /** A service-account token, or an OIDC issuer's. */
  | { readonly kind: "token"; readonly file: string }
  /** A token for the first certificate, which is the credential for the next one. */
  | { readonly kind: "join-token"; readonly file: string }
  /** A certificate of another PKI. */
  | {
      readonly kind: "x5c";
      readonly certificateFile: string;
      readonly keyFile: string;
      readonly audience: string;
    };

/** One of them, never both. */
export interface Credential {
  readonly token?: string;
  readonly identity?: ClientIdentity;
}

export class CredentialError extends PortcullisError<"join-token-missing"> {
  override name = "CredentialError";
}

const fileBytesMax = 1_048_576;

/**
 * @param held undefined where there is no certificate that is valid
 * @throws CredentialError, PrivateFileError, X5cTokenError, PemError
 */
export async function readCredential(
  source: CredentialSource,
  held: WorkloadSet | undefined,
  nowMs: number,
): Promise<Credential> {
  if (source.kind === "x5c") return { token: await makeX5cToken(source, nowMs) };
  if (source.kind === "token") return { token: await readToken(source.file) };
  return held === undefined ? await readJoinToken(source.file) : { identity: identityOf(held) };
}

async function makeX5cToken(
  { certificateFile, keyFile, audience }: Extract<CredentialSource, { kind: "x5c" }>,
  nowMs: number,
): Promise<string> {
  const [certificateChain, privateKey] = await Promise.all([
    readBoundedFile(certificateFile, fileBytesMax),
    readBoundedFile(keyFile, fileBytesMax),
  ]);
  return createX5cToken({ certificateChain, privateKey }, audience, randomUUID(), nowMs);
}

async function readJoinToken(file: string): Promise<Credential> {
  try {
    return { token: await readToken(file) };
  } catch (error) {
    if (!(error instanceof PrivateFileError) || error.code !== "file-missing") throw error;
    throw new CredentialError("join-token-missing", `there is no join token in ${file}`, {
      cause: error,
      hint: "make one at the server: portcullis join-token create --spiffe-id ID",
    });
  }
}

async function readToken(file: string): Promise<string> {
  return Buffer.from(await readBoundedFile(file, fileBytesMax))
    .toString()
    .trim();
}

function identityOf({ certificate: { chain, privateKeyPkcs8 } }: WorkloadSet): ClientIdentity {
  return {
    certificateChain: encodeCertificates(chain),
    privateKey: encodePem(privateKeyPkcs8, "PRIVATE KEY"),
  };
}
