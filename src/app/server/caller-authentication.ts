/** The authenticator of callers' tokens, and its replacement when the configuration changes. */

import type { Caller } from "../../core/identity/caller.ts";
import { isDevIssuer } from "../../edge/authn/dev-issuer.ts";
import type { JwksLocation } from "../../edge/authn/jwks-document.ts";
import { JwksSource, type JwksEvent } from "../../edge/authn/jwks.ts";
import type { KeySet } from "../../edge/authn/key-set.ts";
import { TokenAuthenticator } from "../../edge/authn/token-authenticator.ts";
import { ConfigError } from "../../edge/config/config-error.ts";
import type { ServerConfig } from "../../edge/config/server-config.ts";
import type { StoreMaker } from "../../edge/store/store.ts";

export interface CallerAuthentication extends Disposable {
  authenticate(token: string, nowMs: number): Caller;
  refreshKeys(): Promise<boolean>;
}

/** @throws JwksError, ConfigError when a server is told to believe `dev`'s tokens */
export async function openCallerAuthentication(
  config: ServerConfig,
  maker: StoreMaker,
  onEvent: (event: JwksEvent) => void,
  signal: AbortSignal,
): Promise<CallerAuthentication> {
  const location = jwksLocation(config.jwks);
  const accept = ({ keyIds }: KeySet): void => {
    if (maker === "server") assertNotOfDev(config.tokenIssuer, keyIds);
  };
  const keys = await JwksSource.open({ location, onEvent, accept }, signal);
  const authenticator = new TokenAuthenticator({
    issuer: config.tokenIssuer,
    keys,
    trustDomain: config.trustDomain,
    audiences: config.audiences,
  });
  return {
    authenticate: (token, nowMs) => authenticator.authenticate(token, nowMs),
    // It rejects only once the server is told to stop.
    refreshKeys: () => authenticator.refreshKeys(signal).catch(() => false),
    [Symbol.dispose]: () => keys[Symbol.dispose](),
  };
}

/** At each read of the keys: a file can be replaced under a server that runs. @throws ConfigError */
function assertNotOfDev(tokenIssuer: string, keyIds: readonly string[]): void {
  if (!isDevIssuer(tokenIssuer, keyIds)) return;
  const [place, what, whose] = isDevIssuer(tokenIssuer, [])
    ? ["--token-issuer", "token issuer", "that"]
    : ["--jwks", "token keys", "those"];
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
