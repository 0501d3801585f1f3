/**
 * The tokens of all issuers that the server believes: of the cluster, if there is one, and of others.
 * The issuer that a token claims chooses whose keys and rules judge it; only the cluster's keys must
 * be there at the start, because a mesh must come up while somebody else's issuer is down.
 */

import { AuthnError, quoted } from "../../core/identity/authn-error.ts";
import type { Caller } from "../../core/identity/caller.ts";
import { ClusterTokenAuthenticator } from "../../edge/authn/cluster-token-authenticator.ts";
import { claimedIssuer, parseJws } from "../../edge/authn/jws.ts";
import { OidcAuthenticator } from "../../edge/authn/oidc-authenticator.ts";
import { isHealedByRefresh, TokenAuthenticator } from "../../edge/authn/token-authenticator.ts";
import { assertOtherIssuers, type OidcIssuerConfig } from "../../edge/config/identity-config.ts";
import { assertAdminAudience } from "../../edge/config/kube-config.ts";
import type { ServerConfig } from "../../edge/config/server-config.ts";
import {
  assertUsable,
  openClusterKeys,
  openKubeKeys,
  openOidcKeys,
  type IssuerKeysOptions,
} from "./issuer-keys.ts";
import type { Kube } from "./kube/kube.ts";

export interface IssuerOptions extends IssuerKeysOptions {
  readonly config: ServerConfig;
  /** The cluster that the server is in; its keys and its existences then go before what the configuration says. */
  readonly kube: Kube | undefined;
  /** The wall clock. */
  readonly nowMs: () => number;
}

interface TokenDoor {
  /** @throws AuthnError; PendingCaller */
  authenticate(token: string, nowMs: number, from?: string): Caller;
  /** @throws the reason of `signal` */
  refreshKeys(signal: AbortSignal): Promise<boolean>;
}

export class IssuerAuthentication implements Disposable {
  readonly #signal: AbortSignal;
  readonly #owned = new DisposableStack();
  /** Undefined where there is no cluster. */
  #cluster: TokenDoor | undefined;
  /** The same issuer's tokens for the admin API, for a cluster that the server is in. */
  #operators: ClusterTokenAuthenticator | undefined;
  #clusterIssuers: () => readonly string[] = () => [];
  readonly #others = new Map<string, TokenDoor>();
  /** Whose keys may be out of date, by a token that named an unknown one. */
  readonly #outdated = new Set<TokenDoor>();
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

  /** @param from where it came from, if that is its holder's own address @throws AuthnError; PendingCaller */
  authenticate(token: string, nowMs: number, from?: string): Caller {
    const tokens = this.#issuerOf(token);
    try {
      return tokens.authenticate(token, nowMs, from);
    } catch (error) {
      if (isHealedByRefresh(error)) this.#outdated.add(tokens);
      throw error;
    }
  }

  /**
   * A token for the admin API, by what it says itself.
   * @returns undefined where it is of another issuer, of whom nothing is known here
   * @throws AuthnError
   */
  verifyOperator(token: string, nowMs: number): Caller | undefined {
    const operators = this.#operators;
    if (operators === undefined) return undefined;
    if (!this.#clusterIssuers().includes(claimedIssuer(token) ?? "")) return undefined;
    try {
      return operators.authenticate(token, nowMs);
    } catch (error) {
      if (isHealedByRefresh(error)) this.#outdated.add(operators);
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

  #issuerOf(token: string): TokenDoor {
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
    const { kube, config } = options;
    if (kube !== undefined) return await this.#openKube(kube, options);
    const { tokenIssuer: issuer, jwks, audiences, trustDomain } = config;
    if (issuer === undefined || jwks === undefined) return;
    const keys = await openClusterKeys({ issuer, jwks }, options, this.#owned);
    this.#cluster = new TokenAuthenticator({ issuer, keys, audiences, trustDomain });
  }

  async #openKube(kube: Kube, options: IssuerOptions): Promise<void> {
    const { config, nowMs } = options;
    const { audiences, adminAudience, trustDomain } = config;
    const issuers = (): readonly string[] => kube.keys.issuers;
    for (const issuer of issuers()) assertOtherIssuers(config.identities, issuer);
    assertAdminAudience(adminAudience, issuers());
    const keys = await openKubeKeys(kube.keys, options, this.#owned);
    const tokens = new ClusterTokenAuthenticator({ issuers, keys, audiences, trustDomain });
    const { kubeDoor } = await import("./kube/who/kube-identities.ts");
    this.#cluster = kubeDoor(tokens, { kube, config, nowMs });
    const forAdmin = { issuers, keys, audiences: [adminAudience], trustDomain };
    this.#operators = new ClusterTokenAuthenticator(forAdmin);
    this.#clusterIssuers = issuers;
  }

  async #openOther(entry: OidcIssuerConfig, options: IssuerOptions): Promise<void> {
    const { issuer, audiences, rules } = entry;
    const { trustDomain } = options.config;
    const keys = await openOidcKeys(entry, options, this.#owned);
    const tokens = new OidcAuthenticator({ issuer, keys, audiences, rules, trustDomain });
    this.#others.set(issuer, tokens);
  }
}
