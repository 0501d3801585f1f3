/**
 * Bearer token in, caller out. `authenticate` is synchronous, so that whatever arrived in one turn
 * of the event loop is decided in one go; only a key that is not known (yet) needs to wait: when
 * `isHealedByRefresh` says so of the error, await one `refreshKeys` for all of them and
 * authenticate those again, once.
 *
 * A token that passed is remembered for a while, under its digest. That saves the signature and
 * nothing else: on each use the time is checked again, and a change of the key set forgets all of
 * them.
 */

import { hash } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { AuthnErrorCode } from "../../core/identity/authn-error.ts";
import { AuthnError, quoted } from "../../core/identity/authn-error.ts";
import type { AcceptedToken, Caller } from "../../core/identity/caller.ts";
import type { JsonObject } from "../../core/identity/json-object.ts";
import { callerFromClaims, type TokenRules } from "../../core/identity/kubernetes-caller.ts";
import { parseTokenClaims } from "../../core/identity/token-claims.ts";
import { assertTokenTime } from "../../core/identity/token-rules.ts";
import type { TrustDomain } from "../../core/spiffe/id.ts";
import type { Jws } from "./jws.ts";
import { parseJsonObject, parseJws, verifyJws } from "./jws.ts";
import type { KeyLookup, KeySet } from "./key-set.ts";
import type { VerificationKey } from "./verification-key.ts";

/** Where the keys come from; a `JwksSource` in production. */
export interface KeySource {
  readonly keySet: KeySet;
  readonly isCurrent: boolean;
  refresh(signal: AbortSignal): Promise<boolean>;
}

export interface IssuerTokensOptions {
  readonly keys: KeySource;
  readonly trustDomain: TrustDomain;
  /** The token must name at least one of these. @default ["istio-ca"], as Istio's agents ask for */
  readonly audiences?: readonly string[];
  /**
   * How far the issuer's clock may run ahead of ours. Kubernetes itself allows a minute, to `exp`
   * as well; clocks under NTP differ by less than a second, and agents whose token is not valid yet
   * try again soon enough.
   *
   * @default 10000
   */
  readonly clockSkewMs?: number;
  /** @default 4096 */
  readonly cacheEntriesMax?: number;
}

export interface TokenAuthenticatorOptions extends IssuerTokensOptions {
  readonly issuer: string;
}

type RulesOfAll = Omit<TokenRules, "issuer">;
/** Claims whose signature holds, to their caller. @throws AuthnError */
type AcceptClaims = (claims: JsonObject, rules: RulesOfAll, nowMs: number) => AcceptedToken;

/** The tokens under one set of keys, whose issuers and callers `accept` knows. */
export class IssuerTokens {
  readonly #rules: RulesOfAll;
  readonly #keys: KeySource;
  readonly #accept: AcceptClaims;
  readonly #verified: LRUCache<string, VerifiedToken>;

  constructor(options: IssuerTokensOptions, accept: AcceptClaims) {
    this.#keys = options.keys;
    this.#accept = accept;
    this.#rules = Object.freeze({
      audiences: Object.freeze([...(options.audiences ?? ["istio-ca"])]),
      trustDomain: options.trustDomain,
      clockSkewMs: options.clockSkewMs ?? CLOCK_SKEW_MS,
    });
    this.#verified = new LRUCache({
      max: options.cacheEntriesMax ?? 4096,
      ttl: CACHE_TTL_MS,
    });
  }

  /** @throws AuthnError */
  authenticate(token: string, nowMs: number): Caller {
    const { keySet } = this.#keys;
    const digest = hash("sha256", token, "base64url");
    const known = this.#verified.get(digest);
    if (known !== undefined && known.keySet === keySet) {
      assertTokenTime(known.validity, this.#rules, nowMs);
      return known.caller;
    }
    const jws = parseJws(token);
    verifyJws(jws, this.#findKey(jws, keySet));
    const claims = parseJsonObject(jws.payload, "payload");
    const { caller, validity } = this.#accept(claims, this.#rules, nowMs);
    this.#verified.set(digest, { caller, validity, keySet });
    return caller;
  }

  /**
   * @returns whether it is worth to authenticate again
   * @throws the reason of `signal`
   */
  refreshKeys(signal: AbortSignal): Promise<boolean> {
    return this.#keys.refresh(signal);
  }

  #findKey({ keyId, algorithm }: Jws, keySet: KeySet): VerificationKey {
    const lookup = keySet.find(keyId, algorithm);
    if (lookup.kind === "found") return lookup.key;
    const isOutdated = lookup.kind === "unknown" && !this.#keys.isCurrent;
    const [code, problem] = KEY_ERRORS[isOutdated ? "outdated" : lookup.kind];
    const kid = keyId === undefined ? "without kid" : `with kid ${quoted(keyId)}`;
    throw new AuthnError(code, `${problem} for a token of ${algorithm.name} ${kid}`);
  }
}

/** The tokens of the cluster's service accounts: no mapping rule is known behind this door. */
export class TokenAuthenticator extends IssuerTokens {
  constructor(options: TokenAuthenticatorOptions) {
    const { issuer } = options;
    super(options, (payload, rules, nowMs) => {
      const claims = parseTokenClaims(payload);
      const caller = callerFromClaims(claims, { ...rules, issuer }, nowMs);
      return { caller, validity: claims.validity };
    });
  }
}

/** Whether the token may pass once the key set is read again, and with it whose keys those are. */
export function isHealedByRefresh(error: unknown): boolean {
  if (!(error instanceof AuthnError)) return false;
  if (error instanceof UnknownIssuerError) return true;
  return error.code === "token-key-unknown" || error.code === "keys-unavailable";
}

/** The keys are its issuer's, who was not known by this name when they were read. */
export class UnknownIssuerError extends AuthnError {}

export const CLOCK_SKEW_MS = 10_000;

const KEY_ERRORS: Readonly<
  Record<Exclude<KeyLookup["kind"], "found"> | "outdated", readonly [AuthnErrorCode, string]>
> = {
  unfit: ["token-algorithm", "the key is not one"],
  ambiguous: ["token-key-ambiguous", "several keys would do"],
  unknown: ["token-key-unknown", "no key"],
  outdated: ["keys-unavailable", "no key in the old set that is left"],
};

interface VerifiedToken extends AcceptedToken {
  /** The set that the token was verified with. */
  readonly keySet: KeySet;
}

const CACHE_TTL_MS = 300_000;
