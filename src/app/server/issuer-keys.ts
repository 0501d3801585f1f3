/**
 * Where the keys of token issuers come from: each set is judged before it is used, and shared by all configurations
 * that name it. The keys of `portcullis dev` are nobody's here.
 */

import { isDevIssuer } from "../../edge/authn/dev-issuer.ts";
import { assertSafeLocation, type JwksLocation } from "../../edge/authn/jwks-document.ts";
import { JwksSource, type JwksEvent } from "../../edge/authn/jwks.ts";
import { JwksError, type KeySet } from "../../edge/authn/key-set.ts";
import { ConfigError } from "../../edge/config/config-error.ts";
import type { OidcIssuerConfig } from "../../edge/config/identity-config.ts";
import type { StoreMaker } from "../../edge/store/store.ts";
import type { KeySources } from "./key-sources.ts";
import type { ClusterKeys } from "./kube/who/cluster-keys.ts";

export interface IssuerKeysOptions {
  readonly maker: StoreMaker;
  readonly onEvent: (event: JwksEvent, issuer: string) => void;
  /** Ends what waits for keys. */
  readonly signal: AbortSignal;
  /** Must outlive what is opened with it. */
  readonly sources: KeySources;
}

type IssuerKeys = Pick<OidcIssuerConfig, "issuer" | "jwks">;

/** Read before it resolves. @throws JwksError, ConfigError */
export function openClusterKeys(
  { issuer, jwks }: IssuerKeys,
  options: IssuerKeysOptions,
  owned: DisposableStack,
): Promise<JwksSource> {
  const places = { issuer: "--token-issuer", keys: "--jwks" };
  const source = keySource(options, () => issuer, jwksLocation(jwks), places);
  const open = (): Promise<JwksSource> => JwksSource.open(source, options.signal);
  return options.sources.lease(JSON.stringify(["cluster", issuer, jwks]), open, owned);
}

/** By the API server that this server watches. Read before it resolves. @throws JwksError, ConfigError */
export function openKubeKeys(
  keys: ClusterKeys,
  options: IssuerKeysOptions,
  owned: DisposableStack,
): Promise<JwksSource> {
  const places = { issuer: "--kubernetes", keys: "--kubernetes" };
  const location = keys.locate((issuer) => {
    if (options.maker === "server") assertNotOfDev(issuer, [], places);
  });
  const source = keySource(options, () => keys.issuers[0], location, places);
  const open = (): Promise<JwksSource> => JwksSource.open(source, options.signal);
  return options.sources.lease(JSON.stringify(["kubernetes"]), open, owned);
}

/** Without keys, until they are read. */
export function openOidcKeys(
  { issuer, jwks }: IssuerKeys,
  options: IssuerKeysOptions,
  owned: DisposableStack,
): Promise<JwksSource> {
  // Not by its number, which a reload may change while the keys stay.
  const place = `identities.oidc[${issuer}]`;
  const places = { issuer: `${place}.issuer`, keys: `${place}.jwks` };
  const source = keySource(options, () => issuer, jwksLocation(jwks), places);
  const open = (): JwksSource => JwksSource.openLater(source);
  return options.sources.lease(JSON.stringify(["oidc", issuer, jwks]), open, owned);
}

/** Before anything is opened. @throws ConfigError */
export function assertUsable(
  { issuer, jwks, place }: OidcIssuerConfig,
  { maker }: Pick<IssuerKeysOptions, "maker">,
): void {
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
  { maker, onEvent }: IssuerKeysOptions,
  issuer: () => string,
  location: JwksLocation,
  places: Places,
): Parameters<typeof JwksSource.openLater>[0] {
  return {
    location,
    onEvent: (event) => onEvent(event, issuer()),
    accept: ({ keyIds }: KeySet) => {
      if (maker === "server") assertNotOfDev(issuer(), keyIds, places);
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
