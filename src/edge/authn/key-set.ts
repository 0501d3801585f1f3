/**
 * A JWK Set (RFC 7517 5) as the keys that can verify tokens. A value: a set that is read again is a
 * new one.
 */

import { PortcullisError } from "../../core/error.ts";
import type { JwsAlgorithm } from "./jws-algorithm.ts";
import type { JwkRefusal, VerificationKey } from "./verification-key.ts";
import { parseJwk } from "./verification-key.ts";

export type JwksErrorCode =
  | "jwks-location"
  | "jwks-unreadable"
  | "jwks-too-large"
  | "jwks-malformed"
  /** Not one usable key: a set that would refuse everybody is taken for a mistake. */
  | "jwks-empty";

export class JwksError extends PortcullisError<JwksErrorCode> {
  override name = "JwksError";
}

interface SkippedKey {
  /** Position in the document. */
  readonly index: number;
  readonly reason: JwkRefusal;
}

export type KeyLookup =
  | { readonly kind: "found"; readonly key: VerificationKey }
  | { readonly kind: "unknown" }
  /** The key is there, but is not one for this algorithm. */
  | { readonly kind: "unfit" }
  | { readonly kind: "ambiguous" };

export class KeySet {
  /** Of an issuer whose keys could not be read yet. */
  static readonly NONE: KeySet = new KeySet([], []);

  readonly keys: readonly VerificationKey[];
  readonly skipped: readonly SkippedKey[];

  private constructor(keys: readonly VerificationKey[], skipped: readonly SkippedKey[]) {
    this.keys = Object.freeze(keys);
    this.skipped = Object.freeze(skipped);
    Object.freeze(this);
  }

  /** @throws JwksError `jwks-malformed`, `jwks-empty` */
  static parse(document: string): KeySet {
    const keys: VerificationKey[] = [];
    const skipped: SkippedKey[] = [];
    for (const [index, jwk] of parseDocument(document).entries()) {
      const parsed = parseJwk(jwk);
      if (typeof parsed === "string") skipped.push({ index, reason: parsed });
      else keys.push(parsed);
    }
    if (keys.length > 0) return new KeySet(keys, skipped);
    const reasons = skipped.map(({ index, reason }) => `key ${index}: ${reason}`).join(", ");
    throw new JwksError("jwks-empty", `expected a usable key, got ${reasons || "an empty set"}`);
  }

  get keyIds(): readonly string[] {
    return this.keys.flatMap(({ keyId }) => keyId ?? []);
  }

  /**
   * The one key that a token's header means. RFC 7517 4.5 lets keys of different kinds share an ID;
   * a token without an ID is served only when there is no choice.
   */
  find(keyId: string | undefined, algorithm: JwsAlgorithm): KeyLookup {
    const named =
      keyId === undefined ? this.keys : this.keys.filter((candidate) => candidate.keyId === keyId);
    const [key, second] = named.filter((candidate) => candidate.algorithms.has(algorithm));
    if (key === undefined) {
      return { kind: keyId === undefined || named.length === 0 ? "unknown" : "unfit" };
    }
    return second === undefined ? { kind: "found", key } : { kind: "ambiguous" };
  }
}

function parseDocument(document: string): readonly unknown[] {
  let value: unknown;
  try {
    value = JSON.parse(document);
  } catch {
    // The engine's message quotes the input, which may be any file that was named by mistake.
    throw new JwksError("jwks-malformed", "expected JSON");
  }
  const keys =
    typeof value === "object" && value !== null && "keys" in value ? value.keys : undefined;
  if (Array.isArray(keys)) return keys;
  throw new JwksError("jwks-malformed", 'expected an object with a list "keys"');
}
