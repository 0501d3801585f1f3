/**
 * The control plane's own TLS certificate: from its own CA, with a new key each time, renewed at half of its life while
 * connections stay. It lives in memory only; a restart makes another. It is recorded as any other signature is.
 */

import { generateKeyPairSync, randomBytes } from "node:crypto";
import { isIP, isIPv4 } from "node:net";
import type { Authority } from "../../core/issuance/authority.ts";
import { prepareLeaves, type PreparedLeaf } from "../../core/issuance/prepare.ts";
import { identityOf, serverEvidence } from "../../core/log/caller-evidence.ts";
import { encodePem } from "../../core/x509/pem.ts";
import { parsePublicKey } from "../../core/x509/public-key.ts";
import type { ServingIdentity } from "../../edge/rpc/tls-listener.ts";
import type { Intent } from "./log/ledger.ts";

export interface ServingCertificate extends ServingIdentity {
  readonly notAfterMs: number;
  readonly renewAtMs: number;
  /** SHA-256 of the root that it hangs on, in hex. */
  readonly root: string;
}

/** Rejects while nothing can be signed or recorded. */
export type IssueServing = (names: readonly string[], uri?: string) => Promise<ServingCertificate>;

/** Everything but the signature. */
export interface ServingDraft {
  readonly prepared: PreparedLeaf;
  /** @param der the signed certificate */
  readonly finish: (der: Uint8Array) => ServingCertificate;
}

const lifetimeSeconds = 24 * 3_600;

/**
 * @param names DNS names and IP addresses that clients dial
 * @param uri a SPIFFE ID makes an X509-SVID of it, which by X509-SVID 4.4 may be a client, too
 * @param onUnfit told of bytes that fail a lint
 * @throws IssuanceError
 */
export function prepareServing(
  authority: Authority,
  roots: readonly Uint8Array[],
  names: readonly string[],
  nowMs: number,
  uri: string | undefined,
  onUnfit: (identity: string, error: unknown, tbs: Uint8Array) => void,
): ServingDraft {
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const order = {
    profile: uri === undefined ? ("serving" as const) : ("workload" as const),
    publicKey: parsePublicKey(pair.publicKey.export({ format: "der", type: "spki" })),
    requestedTtlSeconds: 0n,
    serial: randomBytes(16),
    names: {
      uris: uri === undefined ? [] : [uri],
      dnsNames: names.filter((name) => isIP(name) === 0),
      ipAddresses: names.filter((name) => isIP(name) !== 0).map(addressOctets),
    },
  };
  const policy = { defaultTtlSeconds: lifetimeSeconds, maxTtlSeconds: lifetimeSeconds };
  const [outcome] = prepareLeaves([order], authority, policy, nowMs);
  if (outcome?.kind !== "prepared") {
    if (outcome?.unfit !== undefined) {
      onUnfit(uri ?? identityOf(names), outcome.error, outcome.unfit);
    }
    throw outcome?.error;
  }
  const { kind: _, ...prepared } = outcome;
  const { notAfterMs } = prepared;
  return {
    prepared,
    finish: (der) => ({
      certificateChain: [encodePem(der, "CERTIFICATE"), ...authority.intermediates].join(""),
      privateKeyPem: pair.privateKey.export({ format: "pem", type: "pkcs8" }),
      clientRoots: roots,
      notAfterMs,
      renewAtMs: nowMs + (notAfterMs - nowMs) / 2,
      root: authority.rootSha256,
    }),
  };
}

export function servingIntent(
  { prepared }: ServingDraft,
  { signer, rootSha256 }: Authority,
  names: readonly string[],
  uri: string | undefined,
  requestId: string,
): Intent {
  return {
    artifact: "serving",
    requestId,
    identity: uri ?? identityOf(names),
    authority: signer.id,
    root: rootSha256,
    evidence: serverEvidence,
    agent: "",
    prepared,
  };
}

/** The octets of an iPAddress general name (RFC 5280 4.2.1.6). */
function addressOctets(address: string): Uint8Array {
  if (isIPv4(address)) return Uint8Array.from(address.split(".").map(Number));
  // A zone is not part of the octets. The URL parser writes any IPv6 address in groups of hex digits, an embedded IPv4 one, too.
  const [head = "", tail] = new URL(`http://[${address.replace(/%.*$/, "")}]`).hostname
    .slice(1, -1)
    .split("::");
  const groups = (text = ""): string[] => (text === "" ? [] : text.split(":"));
  const zeros = tail === undefined ? 0 : 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array<string>(zeros).fill("0"), ...groups(tail)];
  return Buffer.from(all.map((group) => group.padStart(4, "0")).join(""), "hex");
}
