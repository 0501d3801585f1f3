/**
 * From the data directory (and the operator's own CA, if there is one) to authorities that sign: loads the trust state,
 * or makes the first one in a directory that has never had any. What cannot be read stops the start; it is never replaced.
 */

import { destroyedBy } from "../../core/trust/next-trust.ts";
import { judgePluggedAuthority } from "../../core/trust/plugged-trust.ts";
import {
  activeAuthority,
  activeJwtAuthority,
  withJwtAuthority,
  type TrustState,
} from "../../core/trust/trust-state.ts";
import { removeRemains } from "../../edge/config/remains.ts";
import type { ServerConfig } from "../../edge/config/server-config.ts";
import { bundleFileName, StoreError, type Store } from "../../edge/store/store.ts";
import { createOwnTrust, createPluggedTrust, newJwtAuthority } from "./new-trust.ts";
import { proveSigner } from "./signing/open-signer.ts";
import { openTrust, type Trust } from "./open-trust.ts";
import type { PluggedIn } from "./plugged-authority.ts";
import { writeRoots } from "./roots-file.ts";
import type { AuthorityParts } from "./signing/signing-protocol.ts";

export type { JwtSigningKey, Trust } from "./open-trust.ts";

/**
 * At the start. Another root in the operator's files is left for the rotation, once the server runs.
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
  const stored = store.loadTrustState();
  if (stored === undefined) {
    // Before anything is stored: a key that cannot be used must not bind a directory to its CA.
    if (plugged !== undefined) await prove(partsOf(plugged));
    const state =
      plugged === undefined
        ? await createOwnTrust(store, config, nowMs)
        : createPluggedTrust(store, config, plugged.authority, nowMs);
    return await withRoots(config, openTrust(store, config, state, plugged));
  }
  assertTrustDomain(stored, config);
  if (plugged === undefined) assertOwnKey(stored);
  const change = plugged && judgePluggedAuthority(stored, plugged.authority);
  if (plugged !== undefined && change?.kind !== "stale") await prove(partsOf(plugged));
  let state = stored;
  if (change?.kind === "chain" || change?.kind === "roots") {
    ({ state } = change);
    store.replaceTrustState({ state, keys: [], destroyed: destroyedBy(change), nowMs });
  }
  const trust = openTrust(store, config, withJwtKey(store, state, nowMs), plugged);
  // Of another authority than the files are about.
  const { authorityParts: parts } = trust;
  if (parts.source.kind === "pkcs11" && parts.source !== plugged?.source) await prove(parts);
  return await withRoots(config, trust);
}

async function withRoots({ dataDir }: ServerConfig, trust: Trust): Promise<Trust> {
  await removeRemains(dataDir, [bundleFileName]);
  await writeRoots(dataDir, trust.bundle);
  return trust;
}

/** Its readers are loaded where they are needed: most servers have a root of their own. */
export async function readPlugged(
  config: ServerConfig,
  nowMs: number,
): Promise<PluggedIn | undefined> {
  if (config.caDir === undefined) return undefined;
  const { readPluggedAuthority } = await import("./plugged-authority.ts");
  return await readPluggedAuthority(config.caDir, config, nowMs);
}

function partsOf({ authority, source }: PluggedIn): AuthorityParts {
  return { source, chain: authority.chain, root: authority.root };
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
    hint: "start with the files of that authority: --ca-dir DIR; to use another CA, or a root of the server's own, rotate then",
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
