/**
 * The tokens of all issuers that the server believes: of the cluster, if there is one, and of others.
 * The issuer that a token claims chooses whose keys and rules judge it; only the cluster's keys must
 * be there at the start, because a mesh must come up while somebody else's issuer is down.
 */

import { AuthnError, quoted } from "../../core/identity/authn-error.ts";
import type { Caller } from "../../core/identity/caller.ts";
import { claimedIssuer, parseJws } from "../../edge/authn/jws.ts";
import { OidcAuthenticator } from "../../edge/authn/oidc-authenticator.ts";
import {
  isHealedByRefresh,
  TokenAuthenticator,
  type IssuerTokens,
} from "../../edge/authn/token-authenticator.ts";
import type { OidcIssuerConfig } from "../../edge/config/identity-config.ts";
import type { ServerConfig } from "../../edge/config/server-config.ts";
import {
  assertUsable,
  openClusterKeys,
  openOidcKeys,
  type IssuerKeysOptions,
} from "./issuer-keys.ts";

export interface IssuerOptions extends IssuerKeysOptions {
  readonly config: ServerConfig;
}

export class IssuerAuthentication implements Disposable {
  readonly #signal: AbortSignal;
  readonly #owned = new DisposableStack();
  /** Undefined where there is no cluster. */
  #cluster: IssuerTokens | undefined;
  readonly #others = new Map<string, IssuerTokens>();
  /** Whose keys may be out of date, by a token that named an unknown one. */
  readonly #outdated = new Set<IssuerTokens>();
  #refreshed: Promise<boolean> = Promise.resolve(false);

  private constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** @throws JwksError, ConfigError when a server is told to believe `dev`'s tokens */
  static async open(options: IssuerOptions): Promise<IssuerAuthentication> {
    const { config, signal } = options;
    for (const entry of config.identities.oidc) assertUsable(entry, options);
    const issuers = new IssuerAuthentication(signal);
    try {
      await issuers.#openCluster(options);
      for (const entry of config.identities.oidc) await issuers.#openOther(entry, options);
      return issuers;
    } catch (error) {
      issuers[Symbol.dispose]();
      throw error;
    }
  }

  /** @throws AuthnError */
  authenticate(token: string, nowMs: number): Caller {
    const tokens = this.#issuerOf(token);
    try {
      return tokens.authenticate(token, nowMs);
    } catch (error) {
      if (isHealedByRefresh(error)) this.#outdated.add(tokens);
      throw error;
    }
  }

  /**
   * Reads the keys again that tokens have missed since the last time: an issuer that does not answer
   * keeps nobody else waiting. Whoever's token was seen to by another's call waits for that one.
   * @returns whether it is worth to authenticate again
   */
  refreshKeys(): Promise<boolean> {
    if (this.#outdated.size === 0) return this.#refreshed;
    const outdated = [...this.#outdated];
    this.#outdated.clear();
    this.#refreshed = Promise.all(
      // It rejects only once the server is told to stop.
      outdated.map((tokens) => tokens.refreshKeys(this.#signal).catch(() => false)),
    ).then((refreshed) => refreshed.includes(true));
    return this.#refreshed;
  }

  [Symbol.dispose](): void {
    this.#owned[Symbol.dispose]();
  }

  #issuerOf(token: string): IssuerTokens {
    if (this.#others.size === 0 && this.#cluster !== undefined) return this.#cluster;
    const issuer = claimedIssuer(token);
    // Of an issuer that nobody knows, the cluster's door says so.
    const tokens = this.#others.get(issuer ?? "") ?? this.#cluster;
    if (tokens !== undefined) return tokens;
    // First what is wrong with it whoever made it, as at every other door.
    parseJws(token);
    const message = `expected an issuer of the configuration, got ${quoted(issuer)}`;
    throw new AuthnError("token-issuer", message);
  }

  async #openCluster(options: IssuerOptions): Promise<void> {
    const { tokenIssuer: issuer, jwks, audiences, trustDomain } = options.config;
    if (issuer === undefined || jwks === undefined) return;
    const keys = await openClusterKeys({ issuer, jwks }, options, this.#owned);
    this.#cluster = new TokenAuthenticator({ issuer, keys, audiences, trustDomain });
  }

  async #openOther(entry: OidcIssuerConfig, options: IssuerOptions): Promise<void> {
    const { issuer, audiences, rules } = entry;
    const { trustDomain } = options.config;
    const keys = await openOidcKeys(entry, options, this.#owned);
    const tokens = new OidcAuthenticator({ issuer, keys, audiences, rules, trustDomain });
    this.#others.set(issuer, tokens);
  }
}
