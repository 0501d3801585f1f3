/** Bytes to be signed that pass every lint, by an encoder not ours, and the same with one thing changed. */

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { describe, it } from "node:test";
import { openCertificate } from "../../src/core/x509/certificate.ts";
import { leafLints } from "../../src/core/x509/lint/leaf.ts";
import { runLints, type LeafContext, type Lint } from "../../src/core/x509/lint/lint.ts";
import type { Rule } from "../../src/core/x509/lint/reader.ts";
import { extension, extensions, makeCertificate, type CertificateParts } from "./certificate.ts";
import { ecTestKey, rsaTestKey, type TestKey } from "./csr.ts";
import { bitString, commonName, integer, octetString, oid, sequence, text } from "./der.ts";
import { validity } from "./reissue.ts";

export const LINT_NOW_MS: number = Date.UTC(2026, 10, 24, 12);
export const rsaKey: TestKey = rsaTestKey(2048);
const ecKey = ecTestKey("P-256");
const issuerKeyId = new Uint8Array(20).fill(7);

export const leafContext: LeafContext = {
  issuer: {
    subjectDer: commonName("issuer"),
    keyId: issuerKeyId,
    keyType: "ec-p256",
    notAfterMs: LINT_NOW_MS + 86_400_000,
  },
  nowMs: LINT_NOW_MS,
  lifetimeMaxSeconds: 7_200,
};

export type ExtensionName = "usage" | "purpose" | "constraints" | "issuerKey" | "ownKey" | "names";

export interface Change extends CertificateParts {
  /** Undefined takes it away. */
  readonly replaced?: Partial<Record<ExtensionName, Uint8Array | undefined>>;
  readonly added?: readonly Uint8Array[];
  readonly context?: Partial<LeafContext>;
  readonly underIssuer?: Partial<LeafContext["issuer"]>;
}

export const usage = (octet: number, unused: number, critical = true): Uint8Array =>
  extension("2.5.29.15", bitString(Uint8Array.of(octet), unused), critical);
export const purpose = (oids: readonly string[], critical = false): Uint8Array =>
  extension("2.5.29.37", sequence(...oids.map(oid)), critical);
export const constraints = (value: Uint8Array, critical = true): Uint8Array =>
  extension("2.5.29.19", value, critical);
export const issuerKey = (keyId: Uint8Array = issuerKeyId, critical = false): Uint8Array =>
  extension("2.5.29.35", sequence(text(0x80, Buffer.from(keyId).toString("latin1"))), critical);
export const ownKey = (spki: Uint8Array, critical = false): Uint8Array =>
  extension("2.5.29.14", octetString(hash("sha256", spki, "buffer").subarray(0, 20)), critical);
export const names = (list: readonly Uint8Array[], critical = true): Uint8Array =>
  extension("2.5.29.17", sequence(...list), critical);
export const uri = (value: string): Uint8Array => text(0x86, value);
export const dnsName = (value: string): Uint8Array => text(0x82, value);

export const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
export const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";

/** The change to a good workload's bytes that makes good ones for a control plane. */
export const serving: NonNullable<Change["replaced"]> = {
  purpose: purpose([SERVER_AUTH]),
  names: names([dnsName("localhost"), text(0x87, "\x7f\0\0\x01")]),
};

export function lintedTbs({ replaced, added = [], ...parts }: Change = {}): Uint8Array {
  const spki = parts.spki ?? ecKey.spki;
  const list = {
    usage: usage(0x80, 7),
    purpose: purpose([SERVER_AUTH, CLIENT_AUTH]),
    constraints: constraints(sequence()),
    issuerKey: issuerKey(),
    ownKey: ownKey(spki),
    names: names([uri("spiffe://cluster.local/ns/shop/sa/cart")]),
    ...replaced,
  };
  const present = Object.values(list).filter((each) => each !== undefined);
  const good = {
    serial: integer(0x40112233445566778899aabbccddeeffn),
    validity: validity(LINT_NOW_MS - 120_000, LINT_NOW_MS + 3_600_000),
    spki,
    extensions: extensions(...present, ...added),
  };
  return openCertificate(makeCertificate({ ...good, ...parts })).tbs;
}

export interface Fault {
  readonly lint: string;
  readonly title: string;
  readonly change: Change;
  readonly profile?: "serving";
}

/** Each fault breaks the lint that it names and no other, and no lint of the theme is without a fault. */
export function testLeafLints(theme: readonly Rule[], faults: readonly Fault[]): void {
  describe("of the lints of a leaf", () => {
    for (const { lint, title, change, profile } of faults) {
      it(`${lint} alone refuses ${title}`, () => {
        const base = profile === "serving" ? { ...serving, ...change.replaced } : change.replaced;
        const tbs = lintedTbs({ ...change, ...(base !== undefined && { replaced: base }) });
        const issuer = { ...leafContext.issuer, ...change.underIssuer };
        const context = { ...leafContext, issuer, ...change.context };
        assert.deepEqual(brokenLints(leafLints[profile ?? "workload"], tbs, context), [lint]);
      });
    }
    it("none is without a case that it refuses", () => assertCovered(theme, faults));
  });
}

export function brokenLints<Context>(
  lints: readonly Lint<Context>[],
  tbs: Uint8Array,
  context: Context,
): readonly string[] {
  return lints.flatMap((lint) => {
    const verdict = runLints([lint], tbs, context);
    return verdict.kind === "failed" ? [verdict.rule.name] : [];
  });
}

export function assertCovered(
  theme: readonly Rule[],
  faults: readonly { readonly lint: string }[],
): void {
  const covered = new Set(faults.map(({ lint }) => lint));
  assert.deepEqual(
    theme.filter(({ name }) => !covered.has(name)).map(({ name }) => name),
    [],
  );
}
