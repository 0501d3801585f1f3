/**
 * The tokens of all issuers that the server believes. The issuer that a token claims chooses whose
 * keys and rules judge it; only the cluster's keys must be there at the start, because a mesh must
 * come up while somebody else's issuer is down.
 */

import type { Caller } from "../../core/identity/caller.ts";
import { isDevIssuer } from "../../edge/authn/dev-issuer.ts";
import { assertSafeLocation, type JwksLocation } from "../../edge/authn/jwks-document.ts";
import { JwksSource, type JwksEvent } from "../../edge/authn/jwks.ts";
import { claimedIssuer } from "../../edge/authn/jws.ts";
import { JwksError, type KeySet } from "../../edge/authn/key-set.ts";
import { OidcAuthenticator } from "../../edge/authn/oidc-authenticator.ts";
import {
  isHealedByRefresh,
  TokenAuthenticator,
  type IssuerTokens,
} from "../../edge/authn/token-authenticator.ts";
import { ConfigError } from "../../edge/config/config-error.ts";
import type { OidcIssuerConfig } from "../../edge/config/identity-config.ts";
import type { ServerConfig } from "../../edge/config/server-config.ts";
import type { StoreMaker } from "../../edge/store/store.ts";

export interface IssuerOptions {
  readonly config: ServerConfig;
  readonly maker: StoreMaker;
  readonly onEvent: (event: JwksEvent, issuer: string) => void;
  /** Ends what waits for keys. */
  readonly signal: AbortSignal;
}

export class IssuerAuthentication implements Disposable {
  readonly #signal: AbortSignal;
  readonly #owned = new DisposableStack();
  readonly #cluster: IssuerTokens;
  readonly #others = new Map<string, IssuerTokens>();
  /** Whose keys may be out of date, by a token that named an unknown one. */
  readonly #outdated = new Set<IssuerTokens>();

  private constructor(options: IssuerOptions, clusterKeys: JwksSource) {
    const { tokenIssuer: issuer, audiences, trustDomain } = options.config;
    const keys = this.#owned.use(clusterKeys);
    this.#signal = options.signal;
    this.#cluster = new TokenAuthenticator({ issuer, keys, audiences, trustDomain });
  }

  /** @throws JwksError, ConfigError when a server is told to believe `dev`'s tokens */
  static async open(options: IssuerOptions): Promise<IssuerAuthentication> {
    const { config, signal } = options;
    for (const entry of config.identities.oidc) assertUsable(entry, options);
    const places = { issuer: "--token-issuer", keys: "--jwks" };
    const source = keySource(options, config.tokenIssuer, config.jwks, places);
    const issuers = new IssuerAuthentication(options, await JwksSource.open(source, signal));
    for (const entry of config.identities.oidc) issuers.#add(entry, options);
    return issuers;
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
   * keeps nobody else waiting. @returns whether it is worth to authenticate again
   */
  async refreshKeys(): Promise<boolean> {
    const outdated = this.#outdated.size === 0 ? [this.#cluster] : [...this.#outdated];
    this.#outdated.clear();
    const refreshed = await Promise.all(
      // It rejects only once the server is told to stop.
      outdated.map((tokens) => tokens.refreshKeys(this.#signal).catch(() => false)),
    );
    return refreshed.includes(true);
  }

  [Symbol.dispose](): void {
    this.#owned[Symbol.dispose]();
  }

  #issuerOf(token: string): IssuerTokens {
    if (this.#others.size === 0) return this.#cluster;
    // Of an issuer that nobody knows, the cluster's door says so.
    return this.#others.get(claimedIssuer(token) ?? "") ?? this.#cluster;
  }

  #add({ issuer, jwks, audiences, rules, place }: OidcIssuerConfig, options: IssuerOptions): void {
    const places = { issuer: `${place}.issuer`, keys: `${place}.jwks` };
    const source = JwksSource.openLater(keySource(options, issuer, jwks, places));
    const keys = this.#owned.use(source);
    const { trustDomain } = options.config;
    const tokens = new OidcAuthenticator({ issuer, keys, audiences, rules, trustDomain });
    this.#others.set(issuer, tokens);
  }
}

/** Before anything is opened. @throws ConfigError */
function assertUsable({ issuer, jwks, place }: OidcIssuerConfig, { maker }: IssuerOptions): void {
  const places = { issuer: `${place}.issuer`, keys: `${place}.jwks` };
  if (maker === "server") assertNotOfDev(issuer, [], places);
  try {
    assertSafeLocation(jwksLocation(jwks));
  } catch (cause) {
    if (!(cause instanceof JwksError)) throw cause;
    throw new ConfigError("config-invalid-value", places.keys, cause.message, { cause });
  }
}

interface Places {
  readonly issuer: string;
  readonly keys: string;
}

function keySource(
  { maker, onEvent }: IssuerOptions,
  issuer: string,
  jwks: string,
  places: Places,
): Parameters<typeof JwksSource.openLater>[0] {
  return {
    location: jwksLocation(jwks),
    onEvent: (event) => onEvent(event, issuer),
    accept: ({ keyIds }: KeySet) => {
      if (maker === "server") assertNotOfDev(issuer, keyIds, places);
    },
  };
}

/** At each read of the keys: a file can be replaced under a server that runs. @throws ConfigError */
function assertNotOfDev(issuer: string, keyIds: readonly string[], places: Places): void {
  if (!isDevIssuer(issuer, keyIds)) return;
  const [place, what, whose] = isDevIssuer(issuer, [])
    ? [places.issuer, "token issuer", "that"]
    : [places.keys, "token keys", "those"];
  throw new ConfigError(
    "config-conflict",
    place,
    `expected a cluster's ${what}, got ${whose} of \`portcullis dev\`, who lets anybody be anybody`,
    { hint: "give the issuer and keys of your cluster, or run portcullis dev" },
  );
}

/** The configuration has made it an absolute path or an http(s) URL. */
function jwksLocation(jwks: string): JwksLocation {
  return jwks.startsWith("/") ? { kind: "file", path: jwks } : { kind: "url", url: new URL(jwks) };
}
