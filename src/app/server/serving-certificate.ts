/**
 * The control plane's own TLS certificate: from its own CA, with a new key each time, renewed at half of its life while
 * connections stay. It lives in memory only; a restart makes another.
 */

import { generateKeyPairSync, randomBytes } from "node:crypto";
import { isIP, isIPv4 } from "node:net";
import { signLeaf, type Authority } from "../../core/issuance/authority.ts";
import { checkIssued } from "../../core/issuance/check-issued.ts";
import { decideValidity } from "../../core/issuance/validity.ts";
import type { TrustBundle } from "../../core/spiffe/trust-bundle.ts";
import { encodeCertificates, encodePem } from "../../core/x509/pem.ts";
import { servingProfile, workloadProfile } from "../../core/x509/profile.ts";
import { parsePublicKey } from "../../core/x509/public-key.ts";
import type { ServingIdentity } from "../../edge/rpc/tls-listener.ts";

export interface ServingCertificate extends ServingIdentity {
  readonly notAfterMs: number;
  readonly renewAtMs: number;
}

/** What one is made of, for whoever has the authority's key. */
export interface ServingOrder {
  /** That a client certificate must chain to; DER. */
  readonly roots: readonly Uint8Array[];
  /** DNS names and IP addresses that clients dial. */
  readonly names: readonly string[];
  readonly nowMs: number;
  /** A SPIFFE ID, which makes it an X509-SVID. */
  readonly uri: string | undefined;
}

/** Signs where the key is. Rejects while it cannot be used. */
export type IssueServing = (names: readonly string[], uri?: string) => Promise<ServingCertificate>;

const lifetimeSeconds = 24 * 3_600;

/**
 * @param names DNS names and IP addresses that clients dial
 * @param uri a SPIFFE ID makes an X509-SVID of it, which by X509-SVID 4.4 may be a client, too
 * @throws what the signer throws, IssuanceError
 */
export function issueServingCertificate(
  { authority, bundle }: { authority: Authority; bundle: Pick<TrustBundle, "roots"> },
  names: readonly string[],
  nowMs: number,
  uri?: string,
): ServingCertificate {
  const [profile, encode] =
    uri === undefined
      ? [servingProfile, authority.encodeServing]
      : [workloadProfile, authority.encodeWorkload];
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const spki = pair.publicKey.export({ format: "der", type: "spki" });
  const serial = randomBytes(16);
  const validity = decideValidity(
    nowMs,
    lifetimeSeconds,
    profile.backdateSeconds,
    authority.notAfterMs,
  );
  const subjectAltNames = {
    uris: uri === undefined ? [] : [uri],
    dnsNames: names.filter((name) => isIP(name) === 0),
    ipAddresses: names.filter((name) => isIP(name) !== 0).map(addressOctets),
  };
  const publicKey = parsePublicKey(spki);
  const tbs = encode({ serial, publicKey, subjectAltNames, ...validity });
  const der = signLeaf(authority, tbs);
  checkIssued(der, { profile, tbs, serial, validity, names: subjectAltNames, spki }, authority);
  return {
    certificateChain: [encodePem(der, "CERTIFICATE"), ...authority.intermediates].join(""),
    privateKeyPem: pair.privateKey.export({ format: "pem", type: "pkcs8" }),
    clientRoots: encodeCertificates(bundle.roots),
    notAfterMs: validity.notAfterMs,
    renewAtMs: nowMs + (validity.notAfterMs - nowMs) / 2,
  };
}

/** The octets of an iPAddress general name (RFC 5280 4.2.1.6). */
function addressOctets(address: string): Uint8Array {
  if (isIPv4(address)) return Uint8Array.from(address.split(".").map(Number));
  // The URL parser writes any IPv6 address in groups of hex digits, an embedded IPv4 one, too.
  const [head = "", tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const groups = (text = ""): string[] => (text === "" ? [] : text.split(":"));
  const zeros = tail === undefined ? 0 : 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array<string>(zeros).fill("0"), ...groups(tail)];
  return Buffer.from(all.map((group) => group.padStart(4, "0")).join(""), "hex");
}
