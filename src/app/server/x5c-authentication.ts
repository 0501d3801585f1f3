/**
 * The PKIs of the configuration, read and judged before any of their certificates is believed: each
 * root is a CA's, belongs to one entry, and is none of this mesh's own.
 */

import { PortcullisError } from "../../core/error.ts";
import { parseCertificate } from "../../core/x509/certificate.ts";
import { isIssuingCa } from "../../core/x509/chain.ts";
import { parsePem } from "../../core/x509/pem.ts";
import type { UsedTokens } from "../../edge/authn/used-tokens.ts";
import { X5cAuthenticator, type X5cEntry } from "../../edge/authn/x5c-authenticator.ts";
import { ConfigError } from "../../edge/config/config-error.ts";
import { PrivateFileError, readBoundedFile } from "../../edge/config/private-files.ts";
import type { ServerConfig } from "../../edge/config/server-config.ts";

export interface X5cDependencies {
  /** Roots of the trust bundle, at any moment; DER. */
  readonly ownRoots: () => readonly Uint8Array[];
  /** Must outlive what is opened with it. */
  readonly usedTokens: UsedTokens;
}

/** Undefined where no PKI is configured. @throws ConfigError */
export async function openX5cAuthentication(
  { identities, trustDomain }: ServerConfig,
  { ownRoots, usedTokens }: X5cDependencies,
): Promise<X5cAuthenticator | undefined> {
  if (identities.x5c.length === 0) return undefined;
  const owners = new Map(ownRoots().map((root) => [keyOf(root), "this mesh"]));
  const entries: X5cEntry[] = [];
  for (const { name, roots, audiences, rules, place } of identities.x5c) {
    const ders = await readRoots(roots, `${place}.roots`);
    for (const key of new Set(ders.map(keyOf))) {
      const owner = owners.get(key);
      if (owner !== undefined) throw rootTaken(`${place}.roots`, owner);
      owners.set(key, name);
    }
    entries.push({ name, roots: ders, audiences, rules });
  }
  return new X5cAuthenticator({ entries, trustDomain, ownRoots, usedTokens });
}

const FILE_BYTES_MAX = 256 * 1_024;
const ROOTS_MAX = 32;

async function readRoots(path: string, place: string): Promise<readonly Uint8Array[]> {
  try {
    const bytes = await readBoundedFile(path, FILE_BYTES_MAX);
    const text = Buffer.from(bytes).toString("utf8");
    const roots = parsePem(text, "CERTIFICATE", { blocksMax: ROOTS_MAX });
    // What the check of chains would refuse each time is refused once, and here.
    const noCa = roots.findIndex((der) => !isIssuingCa(parseCertificate(der)));
    if (noCa === -1) return roots;
    const reason = `${path}: expected CAs with keyCertSign, got another certificate at ${noCa + 1}`;
    throw new ConfigError("config-invalid-value", place, reason);
  } catch (cause) {
    if (!(cause instanceof PortcullisError) || cause instanceof ConfigError) throw cause;
    const reason = cause instanceof PrivateFileError ? cause.message : `${path}: ${cause.message}`;
    // Without the cause, which would say the path once more.
    throw new ConfigError("config-invalid-value", place, reason);
  }
}

/** A root that was renewed under its old key is the same root. */
function keyOf(der: Uint8Array): string {
  return Buffer.from(parseCertificate(der).spki).toString("base64");
}

function rootTaken(place: string, owner: string): ConfigError {
  return new ConfigError("config-conflict", place, `expected a root that is not ${owner}'s, too`, {
    hint: "a certificate must say by its root alone which rules are for it",
  });
}
