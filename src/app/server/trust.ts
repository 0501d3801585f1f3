/**
 * From the data directory (and the operator's own CA, if there is one) to authorities that sign: loads the trust state,
 * or makes the first one in a directory that has never had any. What cannot be read stops the start; it is never replaced.
 */

import type { KeyObject } from "node:crypto";
import { join } from "node:path";
import { equalBytes } from "../../core/bytes.ts";
import type { CaWarning } from "../../core/ca/ca-warning.ts";
import { signingAuthority, type Authority } from "../../core/issuance/authority.ts";
import type { TrustBundle } from "../../core/spiffe/trust-bundle.ts";
import { withPluggedAuthority } from "../../core/trust/plugged-trust.ts";
import {
  activeAuthority,
  activeJwtAuthority,
  bundleOf,
  withJwtAuthority,
  type TrustState,
} from "../../core/trust/trust-state.ts";
import { encodeCertificates } from "../../core/x509/pem.ts";
import { readBoundedFile, writeFileAtomic } from "../../edge/config/private-files.ts";
import type { ServerConfig } from "../../edge/config/server-config.ts";
import { bundleFileName, StoreError, type Store } from "../../edge/store/store.ts";
import { createOwnTrust, createPluggedTrust, newJwtAuthority } from "./new-trust.ts";
import { localSigner, proveSigner } from "./open-signer.ts";
import type { PluggedIn } from "./plugged-authority.ts";
import type { AuthorityParts, KeySource } from "./signing-protocol.ts";

/** What is trusted and what signs, as one value: replaced whole, never changed. */
export interface Trust {
  readonly state: TrustState;
  readonly bundle: TrustBundle;
  readonly authority: Authority;
  /** Of which the authority was made, for signing threads to make theirs. */
  readonly authorityParts: AuthorityParts;
  readonly jwt: JwtSigningKey;
  /** Of the operator's CA; DER. Kept, and not sent to proxies yet: Envoy wants one for each CA or none. */
  readonly crls: readonly Uint8Array[];
  readonly warnings: readonly CaWarning[];
}

/** Signs JWT-SVIDs. */
export interface JwtSigningKey {
  readonly keyId: string;
  readonly privateKey: KeyObject;
}

/**
 * At the start, and again when the operator's files may have changed.
 * @param prove that the operator's key can be used. A server gives one that waits for an HSM in a thread.
 * @throws StoreError, TrustStateError, TrustChangeError, CaFilesError, CaKeyError, Pkcs11Error
 */
export async function loadTrust(
  store: Store,
  config: ServerConfig,
  nowMs: number,
  prove: (parts: AuthorityParts) => Promise<void> = proveSigner,
): Promise<Trust> {
  const plugged = await readPlugged(config, nowMs);
  // Before anything is stored: a key that cannot be used must not bind a directory to its CA.
  if (plugged !== undefined) await prove({ ...plugged.authority, source: plugged.source });
  const state = await loadState(store, config, plugged, nowMs);
  const bundle = bundleOf(state);
  const { id, chain, root } = activeAuthority(state);
  const source: KeySource = plugged?.source ?? {
    kind: "software",
    location: "store",
    key: store.signingKey(id),
  };
  const authorityParts = { source, chain, root };
  const authority = signingAuthority(localSigner(authorityParts), chain, root, bundle.roots);
  await publishRoots(join(config.dataDir, bundleFileName), bundle.roots);
  return Object.freeze({
    state,
    bundle,
    authority,
    authorityParts,
    jwt: jwtSigningKey(store, state),
    crls: plugged?.crls ?? [],
    warnings: plugged?.warnings ?? [],
  });
}

/** Its readers are loaded where they are needed: most servers have a root of their own. */
async function readPlugged(config: ServerConfig, nowMs: number): Promise<PluggedIn | undefined> {
  if (config.caDir === undefined) return undefined;
  const { readPluggedAuthority } = await import("./plugged-authority.ts");
  return await readPluggedAuthority(config.caDir, config, nowMs);
}

/** Not written where they are there already: each write waits for the disk. */
async function publishRoots(path: string, roots: readonly Uint8Array[]): Promise<void> {
  const bytes = Buffer.from(encodeCertificates(roots));
  const found = await readBoundedFile(path, bytes.length).catch(() => undefined);
  if (found === undefined || !equalBytes(found, bytes)) await writeFileAtomic(path, bytes, 0o644);
}

async function loadState(
  store: Store,
  config: ServerConfig,
  plugged: PluggedIn | undefined,
  nowMs: number,
): Promise<TrustState> {
  const stored = store.loadTrustState();
  if (stored === undefined) {
    return plugged === undefined
      ? await createOwnTrust(store, config, nowMs)
      : createPluggedTrust(store, config, plugged.authority, nowMs);
  }
  assertTrustDomain(stored, config);
  if (plugged === undefined) assertOwnKey(stored);
  const current = plugged === undefined ? stored : withPluggedAuthority(stored, plugged.authority);
  if (current !== stored) store.replaceTrustState({ state: current, keys: [], nowMs });
  return withJwtKey(store, current, nowMs);
}

function assertTrustDomain({ trustDomain }: TrustState, config: ServerConfig): void {
  if (trustDomain.equals(config.trustDomain)) return;
  throw new StoreError(
    "store-trust-domain",
    `expected trust domain ${trustDomain.name} of ${config.dataDir}, got ${config.trustDomain.name}`,
    { hint: "start with the trust domain that the directory was made for" },
  );
}

function assertOwnKey(state: TrustState): void {
  const { id, key } = activeAuthority(state);
  if (key === "store") return;
  throw new StoreError("store-key-missing", `the key of authority ${id} is not in this directory`, {
    hint: "give the operator's CA that it began with: --ca-dir DIR",
  });
}

/** A directory of a version that made no JWT-SVIDs gets its key now. */
function withJwtKey(store: Store, state: TrustState, nowMs: number): TrustState {
  if (activeJwtAuthority(state) !== undefined) return state;
  const { record, key } = newJwtAuthority();
  const next = withJwtAuthority(state, record);
  store.replaceTrustState({ state: next, keys: [key], nowMs });
  return next;
}

function jwtSigningKey(store: Store, state: TrustState): JwtSigningKey {
  const keyId = activeJwtAuthority(state)?.keyId ?? "";
  return { keyId, privateKey: store.signingKey(keyId) };
}
