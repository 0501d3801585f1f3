/**
 * Certificates of another PKI whose contents are anything, with claims that are anything: the target signs both. The input is
 * DER: the claims as text, then the certificate to be signed.
 */

import assert from "node:assert/strict";
import { sign, X509Certificate } from "node:crypto";
import { parsePathTemplate } from "../../../src/core/identity/path-template.ts";
import { TrustDomain } from "../../../src/core/spiffe/id.ts";
import { UsedTokens } from "../../../src/edge/authn/used-tokens.ts";
import { X5cAuthenticator } from "../../../src/edge/authn/x5c-authenticator.ts";
import { DerReader } from "../../../src/core/x509/der.ts";
import { bitString, boolean, commonName, fromHex, sequence, text, tlv } from "../../support/der.ts";
import { extension, extensions, makeCertificate } from "../../support/certificate.ts";
import { encodeSegment } from "../../support/tokens.ts";
import { p256Key, type P256Key } from "../keys.ts";
import { valueOrTyped, type FuzzTarget } from "../target.ts";

const rootKey = p256Key("x5c root");
const leafKey = p256Key("x5c leaf");
/** Within the dates that `makeCertificate` gives. */
const nowMs = Date.UTC(2026, 0, 1, 12);
const nowSeconds = nowMs / 1_000;

const isCa = extension("2.5.29.19", sequence(boolean(true)), true);
const maySign = extension("2.5.29.15", tlv(0x03, fromHex("0204")), true);
const root = signCertificate(
  rootKey,
  tbsOf(
    makeCertificate({
      spki: rootKey.spki,
      subject: commonName("issuer"),
      extensions: extensions(isCa, maySign),
    }),
  ),
);
const leaf = tbsOf(
  makeCertificate({
    spki: leafKey.spki,
    extensions: extensions(
      extension("2.5.29.15", tlv(0x03, fromHex("0780")), true),
      extension("2.5.29.17", sequence(text(0x82, "db-1.corp.example"))),
    ),
  }),
);
const rules = [
  {
    match: { kind: "dns-label", suffix: ".corp.example" } as const,
    spiffeId: parsePathTemplate("/vm/{dns.label}"),
  },
  {
    match: { kind: "commonName", value: "legacy" } as const,
    spiffeId: parsePathTemplate("/legacy"),
  },
];
const entry = { name: "corp", audiences: ["portcullis"], rules, roots: [root] };
const claims = { aud: "portcullis", jti: "one", iat: nowSeconds, exp: nowSeconds + 60 };

export const x5cToken: FuzzTarget = {
  name: "x5c-token",
  shape: "der",
  dictionary: [
    "\u0006\u0003U\u001d\u0011",
    "\u0006\u0003U\u0004\u0003",
    ".corp.example",
    "legacy",
    '"jti":',
    "\0",
  ],
  seeds: () => ({
    machine: sequence(text(0x0c, JSON.stringify(claims)), leaf),
    legacy: sequence(
      text(0x0c, JSON.stringify(claims)),
      tbsOf(makeCertificate({ spki: leafKey.spki, subject: commonName("legacy") })),
    ),
  }),
  check: (input) => {
    const parts = valueOrTyped(() => splitInput(input));
    if (parts === undefined) return false;
    const der = signCertificate(rootKey, parts.tbs);
    const token = signToken(der, parts.payload);
    const caller = valueOrTyped(() => authenticator().authenticate(token, nowMs));
    if (caller === undefined) return false;
    assertNamed(caller.id.toString(), new X509Certificate(der));
    return true;
  },
};

function authenticator(): X5cAuthenticator {
  const usedTokens = new UsedTokens(nowMs - 60_000);
  const trustDomain = TrustDomain.parse("example.com");
  return new X5cAuthenticator({ entries: [entry], trustDomain, ownRoots: () => [], usedTokens });
}

/** By a name that OpenSSL, too, finds in it. */
function assertNamed(id: string, { subject, subjectAltName = "" }: X509Certificate): void {
  const label = id.replace("spiffe://example.com/vm/", "");
  if (label === id) {
    assert.equal(id, "spiffe://example.com/legacy");
    assert.match(subject, /^CN=legacy$/m);
  } else
    assert.ok(subjectAltName.split(", ").includes(`DNS:${label}.corp.example`), subjectAltName);
}

function splitInput(input: Uint8Array): { readonly payload: Uint8Array; readonly tbs: Uint8Array } {
  const reader = DerReader.within(input, 0x30);
  const payload = reader.readContents(0x0c);
  const start = reader.position;
  reader.enter(0x30);
  return { payload, tbs: reader.since(start) };
}

function tbsOf(certificate: Uint8Array): Uint8Array {
  const reader = DerReader.within(certificate, 0x30);
  const start = reader.position;
  reader.enter(0x30);
  return reader.since(start);
}

function signCertificate(key: P256Key, tbs: Uint8Array): Uint8Array {
  return sequence(tbs, key.algorithm, bitString(sign("sha256", tbs, key.privateKey)));
}

function signToken(der: Uint8Array, payload: Uint8Array): string {
  const header = { alg: "ES256", x5c: [Buffer.from(der).toString("base64")] };
  const signingInput = `${encodeSegment(header)}.${Buffer.from(payload).toString("base64url")}`;
  const options = { key: leafKey.privateKey, dsaEncoding: "ieee-p1363" } as const;
  return `${signingInput}.${sign("sha256", Buffer.from(signingInput), options).toString("base64url")}`;
}
