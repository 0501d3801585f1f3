/**
 * What an agent must not lose: certificate, key and bundle, as one set that is written whole or not
 * at all. An agent that starts while the control plane is away serves from it.
 */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { join } from "node:path";
import type { WorkloadCertificate } from "../../core/envoy/secret.ts";
import { PortcullisError } from "../../core/error.ts";
import { SpiffeId, TrustDomain } from "../../core/spiffe/id.ts";
import { trustBundle, type TrustBundle } from "../../core/spiffe/trust-bundle.ts";
import { parseCertificate } from "../../core/x509/certificate.ts";
import {
  PrivateFileError,
  readPrivateFile,
  writeFileAtomic,
} from "../../edge/config/private-files.ts";
import { removeForGood } from "./remove-file.ts";
import type { ServerAnchor } from "./server-trust.ts";

export interface ReceivedCertificate {
  readonly certificate: WorkloadCertificate;
  readonly receivedAtMs: number;
}

export interface WorkloadSet extends ReceivedCertificate {
  readonly bundle: TrustBundle;
  /** Absent in what an older agent has written. */
  readonly anchor?: ServerAnchor;
}

export class StateFileError extends PortcullisError<"state-file-malformed" | "state-file-foreign"> {
  override name = "StateFileError";
}

const setFileName = "workload.json";
const fileBytesMax = 1_048_576;

/** Undefined in a new state directory. @throws StateFileError, PrivateFileError */
export async function readWorkloadSet(stateDir: string): Promise<WorkloadSet | undefined> {
  const path = join(stateDir, setFileName);
  try {
    return parseWorkloadSet(Buffer.from(await readPrivateFile(path, fileBytesMax)).toString());
  } catch (cause) {
    if (cause instanceof PrivateFileError) {
      if (cause.code === "file-missing") return undefined;
      throw cause;
    }
    throw new StateFileError("state-file-malformed", `${path} is no state of an agent`, {
      cause,
      hint: "remove the file: the agent then asks for a new certificate",
    });
  }
}

export async function writeWorkloadSet(stateDir: string, set: WorkloadSet): Promise<void> {
  const { bundle, anchor } = set;
  const document: StoredSet = {
    version: 1,
    ...encodeReceived(set),
    bundle: {
      trustDomain: bundle.trustDomain.name,
      sequence: bundle.sequence.toString(),
      roots: bundle.roots.map(base64),
      jwtKeys: bundle.jwtKeys.map(({ keyId, spki }) => ({ keyId, spki: base64(spki) })),
    },
    ...(anchor && { anchor }),
  };
  await writeFileAtomic(join(stateDir, setFileName), Buffer.from(JSON.stringify(document)), 0o600);
}

/** @throws what the file system says */
export async function removeWorkloadSet(stateDir: string): Promise<void> {
  await removeForGood(join(stateDir, setFileName));
}

/** As JSON keeps it. */
export interface StoredCertificate {
  readonly receivedAtMs: number;
  readonly id: string;
  readonly chain: readonly string[];
  readonly privateKeyPkcs8: string;
}

export function encodeReceived(received: ReceivedCertificate): StoredCertificate {
  const { id, chain, privateKeyPkcs8 } = received.certificate;
  return {
    receivedAtMs: received.receivedAtMs,
    id: id.toString(),
    chain: chain.map(base64),
    privateKeyPkcs8: base64(privateKeyPkcs8),
  };
}

/** @throws what its parts throw, for what is none: the caller says where it was found */
export function parseReceived(stored: StoredCertificate): ReceivedCertificate {
  const chain = stored.chain.map(fromBase64);
  const { der, serialHex, notAfterMs, uris } = parseCertificate(chain[0] ?? new Uint8Array());
  if (uris[0] !== stored.id) throw new TypeError("the certificate is of another identity");
  const privateKeyPkcs8 = fromBase64(stored.privateKeyPkcs8);
  const key = Buffer.from(privateKeyPkcs8);
  if (!new X509Certificate(der).checkPrivateKey(createPrivateKey({ key, ...pkcs8 }))) {
    throw new TypeError("the key is not the certificate's");
  }
  const id = SpiffeId.parse(stored.id);
  return {
    receivedAtMs: stored.receivedAtMs,
    certificate: { id, chain, privateKeyPkcs8, serialHex, notAfterMs },
  };
}

interface StoredSet extends StoredCertificate {
  readonly version: 1;
  readonly bundle: {
    readonly trustDomain: string;
    readonly sequence: string;
    readonly roots: readonly string[];
    /** Absent in what an older agent has written. */
    readonly jwtKeys?: readonly { readonly keyId: string; readonly spki: string }[];
  };
  readonly anchor?: ServerAnchor;
}

function parseWorkloadSet(text: string): WorkloadSet {
  const stored = JSON.parse(text) as StoredSet;
  if (stored.version !== 1)
    throw new TypeError(`expected version 1, got ${String(stored.version)}`);
  const received = parseReceived(stored);
  const roots = stored.bundle.roots.map(fromBase64);
  // A root that Envoy cannot read would be refused, and with it every later certificate.
  roots.forEach(parseCertificate);
  return {
    ...received,
    ...(stored.anchor && { anchor: parseAnchor(stored.anchor) }),
    bundle: trustBundle(
      TrustDomain.parse(stored.bundle.trustDomain),
      BigInt(stored.bundle.sequence),
      roots,
      (stored.bundle.jwtKeys ?? []).map(({ keyId, spki }) => ({ keyId, spki: fromBase64(spki) })),
    ),
  };
}

/** @throws TypeError */
function parseAnchor({ isMesh, fileDigest }: ServerAnchor): ServerAnchor {
  if (typeof isMesh === "boolean" && /^[0-9a-f]{64}$/.test(fileDigest)) {
    return { isMesh, fileDigest };
  }
  throw new TypeError("expected how the server was verified");
}

const pkcs8 = { format: "der", type: "pkcs8" } as const;
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
const fromBase64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "base64"));
