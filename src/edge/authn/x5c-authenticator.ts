/**
 * Certificates of other PKIs in, callers out: a token that is signed by the key of the certificate
 * in its header, for one use. The roots of these PKIs are for this door alone; TLS never sees them.
 */

import { PortcullisError } from "../../core/error.ts";
import { AuthnError, quoted } from "../../core/identity/authn-error.ts";
import type { Caller } from "../../core/identity/caller.ts";
import { commonNameOf } from "../../core/identity/common-name.ts";
import { callerFromX5c, type X5cRules } from "../../core/identity/x5c-caller.ts";
import type { TrustDomain } from "../../core/spiffe/id.ts";
import { parseCertificate, type Certificate } from "../../core/x509/certificate.ts";
import { verifyChain } from "../../core/x509/chain.ts";
import { parsePublicKey } from "../../core/x509/public-key.ts";
import { parseJsonObject, verifyJws } from "./jws.ts";
import { CLOCK_SKEW_MS } from "./token-authenticator.ts";
import type { UsedTokens } from "./used-tokens.ts";
import { parseX5cJws, verificationKeyOf } from "./x5c-jws.ts";

/** One PKI, with the rules for its certificates. */
export interface X5cEntry extends Pick<X5cRules, "name" | "audiences" | "rules"> {
  /** DER. */
  readonly roots: readonly Uint8Array[];
}

export interface X5cAuthenticatorOptions {
  readonly entries: readonly X5cEntry[];
  readonly trustDomain: TrustDomain;
  /** Of this mesh, at any moment: what it issued itself proves nothing here. */
  readonly ownRoots: () => readonly Uint8Array[];
  readonly usedTokens: UsedTokens;
}

export class X5cAuthenticator {
  readonly #options: X5cAuthenticatorOptions;

  constructor(options: X5cAuthenticatorOptions) {
    this.#options = options;
  }

  /** @throws AuthnError */
  authenticate(token: string, nowMs: number): Caller {
    const { trustDomain, usedTokens } = this.#options;
    const { jws, chain } = parseX5cJws(token);
    const { entry, leaf } = this.#verify(chain, nowMs);
    this.#assertForeign(chain, nowMs);
    verifyJws(jws, verificationKeyOf(leaf.spki));
    const { name, audiences, rules } = entry;
    const x5cRules = { name, audiences, rules, trustDomain, clockSkewMs: CLOCK_SKEW_MS };
    const claims = parseJsonObject(jws.payload, "payload");
    const { caller, use } = callerFromX5c(leaf, claims, x5cRules, nowMs);
    // Last, so that nothing but a token that would have passed takes room.
    usedTokens.use(use, nowMs);
    return caller;
  }

  /** The one entry whose roots the chain hangs on. */
  #verify(
    chain: readonly Uint8Array[],
    nowMs: number,
  ): { readonly entry: X5cEntry; readonly leaf: Certificate } {
    const reasons: ChainReason[] = [];
    const verified = this.#options.entries.flatMap((entry) => {
      try {
        // Strangers choose these keys: they are judged before anything is verified with them.
        for (const der of chain) parsePublicKey(parseCertificate(der).spki);
        return [{ entry, leaf: verifyChain(chain, entry.roots, nowMs) }];
      } catch (error) {
        if (!(error instanceof PortcullisError)) throw error;
        reasons.push({ entry, error });
        return [];
      }
    });
    const [only, second] = verified;
    if (second !== undefined) {
      const names = verified.map(({ entry }) => entry.name).join(" and ");
      throw new AuthnError("token-ambiguous-rule", `the chain is one of ${names}`);
    }
    if (only !== undefined) return only;
    throw chainError(chain, reasons);
  }

  /** A corporate root may have become a root of the mesh since the configuration was checked. */
  #assertForeign(chain: readonly Uint8Array[], nowMs: number): void {
    const isOwn = this.#options.ownRoots().some((root) => isUnder(chain, root, nowMs));
    if (isOwn) throw new AuthnError("x5c-chain", "the chain hangs on a root of this mesh");
  }
}

interface ChainReason {
  readonly entry: X5cEntry;
  readonly error: PortcullisError;
}

/** A PKI whose root is there and does not do says more than those that the chain is not of. */
function chainError(chain: readonly Uint8Array[], reasons: readonly ChainReason[]): AuthnError {
  const [first] = reasons;
  const near = reasons.find(({ error }) => error.code !== "chain-no-root");
  if (near !== undefined) {
    const { entry, error } = near;
    // What is wrong below the roots is wrong for every entry.
    const isShared = reasons.every((each) => each.error.message === error.message);
    const message = isShared ? error.message : `${quoted(entry.name)}: ${error.message}`;
    return new AuthnError("x5c-chain", message, { cause: error });
  }
  const top = chain.at(-1);
  if (first === undefined || top === undefined) {
    return new AuthnError("x5c-chain", "no PKI is configured");
  }
  const names = reasons.slice(0, ENTRIES_SHOWN_MAX).map(({ entry }) => quoted(entry.name));
  const expected = `expected a chain to a root of ${names.join(" or ")}`;
  const issuer = commonNameOf(parseCertificate(top).issuerDer);
  const got = `got one that ends below ${issuer === undefined ? "a CA without a common name" : quoted(issuer)}`;
  return new AuthnError("x5c-chain", `${expected}, ${got}`, {
    cause: first.error,
    hint: "an intermediate that is missing comes with the leaf, in x5c",
  });
}

const ENTRIES_SHOWN_MAX = 4;

function isUnder(chain: readonly Uint8Array[], root: Uint8Array, nowMs: number): boolean {
  try {
    verifyChain(chain, [root], nowMs);
    return true;
  } catch (error) {
    if (error instanceof PortcullisError) return false;
    throw error;
  }
}
