/**
 * The SPIFFE bundle document (SPIFFE Trust Domain and Bundle 4): a JWK Set that says whom the peers
 * of one trust domain believe. It does not name its trust domain; whoever reads one must know whose
 * it is, and must never pool two.
 *
 * What the standard tells a consumer to ignore is ignored. Everything else that is wrong refuses
 * the whole document: an entry that was dropped in silence would look like a revoked authority.
 */

import { isJsonObject, type JsonObject } from "../identity/json-object.ts";
import { PortcullisError } from "../error.ts";
import { parseCertificate } from "../x509/certificate.ts";
import { jwkOfSpki, spkiOfJwk } from "./bundle-document-jwk.ts";
import type { JwtKey, TrustBundle } from "./trust-bundle.ts";

export type BundleDocumentErrorCode =
  | "bundle-document-json"
  | "bundle-document-keys"
  | "bundle-document-sequence"
  | "bundle-document-refresh-hint"
  | "bundle-document-entry";

export class BundleDocumentError extends PortcullisError<BundleDocumentErrorCode> {
  override name = "BundleDocumentError";
}

/** Not a TrustBundle: a document may have no authority left, and then everything is revoked. */
export interface BundleDocument {
  readonly sequence: bigint | undefined;
  readonly refreshHintSeconds: number | undefined;
  /** CA certificates, DER, in the order of the document. */
  readonly roots: readonly Uint8Array[];
  readonly jwtKeys: readonly JwtKey[];
}

/** The same bundle is the same text. */
export function encodeBundleDocument(bundle: TrustBundle, refreshHintSeconds: number): string {
  const keys = [...bundle.roots.map(encodeRoot), ...bundle.jwtKeys.map(encodeDeclaredKey)];
  // A sequence has 64 bits and a number of JSON.stringify 53, so it is written by hand.
  const members = [
    `"keys":${JSON.stringify(keys)}`,
    `"spiffe_refresh_hint":${JSON.stringify(refreshHintSeconds)}`,
    `"spiffe_sequence":${bundle.sequence}`,
  ];
  return `{${members.join(",")}}`;
}

/**
 * The JWT keys alone as a JWK Set without anything of SPIFFE in it, not even `use`: that is what
 * the Workload API calls a JWT bundle, and what every JOSE library can read.
 */
export function encodeJwks(jwtKeys: readonly JwtKey[]): string {
  return JSON.stringify({ keys: jwtKeys.map(encodeKey) });
}

/** @throws BundleDocumentError */
export function parseBundleDocument(text: string): BundleDocument {
  const document = parseJson(text);
  const { keys } = document;
  if (!Array.isArray(keys)) {
    throw new BundleDocumentError("bundle-document-keys", 'expected a list "keys"', {
      hint: "is this a SPIFFE bundle document?",
    });
  }
  const roots: Uint8Array[] = [];
  const jwtKeys = new Map<string, JwtKey>();
  for (const [index, jwk] of keys.entries()) {
    if (!isJsonObject(jwk)) throw badEntry(index, "expected an object");
    if (!isKnownKeyType(jwk)) continue;
    if (jwk["use"] === "x509-svid") {
      const root = parseRoot(jwk, index);
      if (root !== undefined) roots.push(root);
    } else if (jwk["use"] === "jwt-svid") {
      addKey(jwtKeys, parseKey(jwk, index), index);
    }
  }
  return Object.freeze({
    sequence: parseSequence(document["spiffe_sequence"]),
    refreshHintSeconds: parseRefreshHint(document["spiffe_refresh_hint"]),
    roots: Object.freeze(roots),
    jwtKeys: Object.freeze([...jwtKeys.values()]),
  });
}

/** X509-SVID 6.1: one certificate, and no `kid`. */
function encodeRoot(root: Uint8Array): JsonObject {
  const x5c = [Buffer.from(root).toString("base64")];
  return { ...jwkOfSpki(parseCertificate(root).spki), use: "x509-svid", x5c };
}

function encodeDeclaredKey(key: JwtKey): JsonObject {
  return { ...encodeKey(key), use: "jwt-svid" };
}

function encodeKey({ keyId, spki }: JwtKey): JsonObject {
  return { kid: keyId, ...jwkOfSpki(spki) };
}

function parseJson(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text, exactSequence);
  } catch {
    // The engine's message quotes the input, which may be any file that was named by mistake.
    throw new BundleDocumentError("bundle-document-json", "expected JSON");
  }
  if (isJsonObject(value)) return value;
  throw new BundleDocumentError("bundle-document-json", "expected a JSON object");
}

/** From the text of the number: as a double it may be another one. */
function exactSequence(
  name: string,
  value: unknown,
  context?: { readonly source?: string },
): unknown {
  if (name !== "spiffe_sequence" || typeof value !== "number") return value;
  const source = context?.source ?? "";
  return /^(?:0|[1-9][0-9]{0,19})$/.test(source) ? BigInt(source) : value;
}

const SEQUENCE_MAX = 2n ** 64n - 1n;

function parseSequence(value: unknown): bigint | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "bigint" && value <= SEQUENCE_MAX) return value;
  throw new BundleDocumentError(
    "bundle-document-sequence",
    "expected spiffe_sequence as an integer of at most 64 bits",
  );
}

function parseRefreshHint(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new BundleDocumentError(
    "bundle-document-refresh-hint",
    "expected spiffe_refresh_hint in whole seconds",
  );
}

/** Trust Domain and Bundle 4.2.1. OKP is not among the keys that an SVID of ours can be made with. */
function isKnownKeyType({ kty }: JsonObject): boolean {
  return kty === "EC" || kty === "RSA";
}

/** @returns undefined for an entry without a certificate, which X509-SVID 6.2 ignores */
function parseRoot(jwk: JsonObject, index: number): Uint8Array | undefined {
  const x5c = jwk["x5c"] ?? [];
  if (!Array.isArray(x5c)) throw badEntry(index, "expected x5c as a list");
  // X509-SVID 6.2: all but the first are ignored.
  const [first] = x5c as unknown[];
  if (first === undefined) return undefined;
  const root = decodeBase64(first);
  if (root === undefined) throw badEntry(index, "expected the certificate in base64");
  const { spki, isCa } = parsed(index, () => parseCertificate(root));
  if (!isCa) throw badEntry(index, "expected the certificate of a CA");
  // RFC 7517 4.7.
  if (
    Buffer.compare(
      spki,
      parsed(index, () => spkiOfJwk(jwk)),
    ) !== 0
  ) {
    throw badEntry(index, "expected the key of its certificate");
  }
  return root;
}

function parseKey(jwk: JsonObject, index: number): JwtKey {
  const { kid: keyId } = jwk;
  // JWT-SVID 6.1.
  if (typeof keyId !== "string" || keyId === "") throw badEntry(index, "expected a kid");
  return Object.freeze({ keyId, spki: parsed(index, () => spkiOfJwk(jwk)) });
}

/** Two keys under one ID leave open which of them verifies. */
function addKey(keys: Map<string, JwtKey>, key: JwtKey, index: number): void {
  const known = keys.get(key.keyId);
  if (known !== undefined && Buffer.compare(known.spki, key.spki) !== 0) {
    throw badEntry(index, "expected a kid that no other key has");
  }
  keys.set(key.keyId, key);
}

function parsed<T>(index: number, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw badEntry(index, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function decodeBase64(value: unknown): Uint8Array | undefined {
  if (typeof value !== "string") return undefined;
  const bytes = Buffer.from(value, "base64");
  return bytes.toString("base64") === value ? Uint8Array.from(bytes) : undefined;
}

function badEntry(index: number, problem: string, cause?: unknown): BundleDocumentError {
  return new BundleDocumentError("bundle-document-entry", `key ${index}: ${problem}`, { cause });
}
