/** A trust bundle as `bundle show` writes it: PEM for programs that know roots only, facts for people and scripts. */

import { createPublicKey, X509Certificate } from "node:crypto";
import type { JwtKey } from "../../core/spiffe/trust-bundle.ts";
import { parseCertificate } from "../../core/x509/certificate.ts";
import { encodePem } from "../../core/x509/pem.ts";
import { formatTimestamp } from "./format.ts";
import type { JsonValue } from "./output.ts";
import { printable } from "./text.ts";

/** Of our own server, or of anybody's endpoint. */
export interface ShownBundle {
  readonly trustDomain: string;
  readonly sequence: bigint | undefined;
  readonly refreshHintSeconds: number | undefined;
  /** DER. */
  readonly roots: readonly Uint8Array[];
  readonly jwtKeys: readonly JwtKey[];
  /** The SPIFFE bundle document. */
  readonly document: string;
}

/** Each root below a line that says what it is; OpenSSL and others pass over such lines. */
export function bundlePem({ roots }: ShownBundle): string {
  return roots.map((der) => `# ${rootComment(der)}\n${encodePem(der, "CERTIFICATE")}`).join("");
}

/** In one line. */
export function bundleSummary(bundle: ShownBundle): string {
  const { trustDomain, sequence, refreshHintSeconds, roots, jwtKeys } = bundle;
  const parts = [
    `trust domain ${trustDomain}`,
    `sequence ${sequence ?? "unknown"}`,
    `X.509 roots: ${roots.length}`,
    `JWT keys: ${jwtKeys.length}`,
    ...(refreshHintSeconds === undefined ? [] : [`refresh after ${refreshHintSeconds} s`]),
  ];
  return parts.join(", ");
}

/** The sequence is text, since it has 64 bits and a number of JSON has 53; empty if there is none. */
export function bundleValue(bundle: ShownBundle): JsonValue {
  const { trustDomain, sequence, refreshHintSeconds, roots, jwtKeys } = bundle;
  return {
    trustDomain,
    sequence: String(sequence ?? ""),
    ...(refreshHintSeconds !== undefined && { refreshHintSeconds }),
    roots: roots.map(rootValue),
    jwtKeys: jwtKeys.map(({ keyId, spki }) => ({ keyId, key: keyTypeOf(spki) })),
  };
}

function rootComment(der: Uint8Array): string {
  const { subject, notAfter, keyId } = rootValue(der);
  return printable(`${subject}, expires ${notAfter}, key id ${keyId}`).replaceAll("-----", "?????");
}

function rootValue(der: Uint8Array) {
  const { notAfterMs, subjectKeyId, spki } = parseCertificate(der);
  return {
    subject: new X509Certificate(der).subject.replaceAll("\n", ", "),
    notAfter: formatTimestamp(notAfterMs),
    keyId: Buffer.from(subjectKeyId ?? []).toString("hex"),
    key: keyTypeOf(spki),
  };
}

const curves: ReadonlyMap<string, string> = new Map([
  ["prime256v1", "ec-p256"],
  ["secp384r1", "ec-p384"],
  ["secp521r1", "ec-p521"],
]);

/** Other trust domains have keys that we would not sign with. */
function keyTypeOf(spki: Uint8Array): string {
  const key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
  const { namedCurve = "", modulusLength } = key.asymmetricKeyDetails ?? {};
  if (modulusLength !== undefined) return `rsa-${modulusLength}`;
  return curves.get(namedCurve) ?? namedCurve;
}
