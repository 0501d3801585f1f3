/** From a trust state to authorities that sign: each key from where it is. */

import type { KeyObject } from "node:crypto";
import { equalBytes } from "../../core/bytes.ts";
import type { CaWarning } from "../../core/ca/ca-warning.ts";
import { signingAuthority, type Authority } from "../../core/issuance/authority.ts";
import type { TrustBundle } from "../../core/spiffe/trust-bundle.ts";
import { signingKeyId } from "../../core/trust/authority-keys.ts";
import {
  activeAuthority,
  activeJwtAuthority,
  bundleOf,
  TrustStateError,
  type AuthorityRecord,
  type TrustState,
} from "../../core/trust/trust-state.ts";
import type { ServerConfig } from "../../edge/config/server-config.ts";
import { StoreError, type Store } from "../../edge/store/store.ts";
import { localSigner } from "./signing/open-signer.ts";
import type { PluggedIn } from "./plugged-authority.ts";
import type { AuthorityParts, KeySource } from "./signing/signing-protocol.ts";

/** What is trusted and what signs, as one value: replaced whole, never changed. */
export interface Trust {
  readonly state: TrustState;
  readonly bundle: TrustBundle;
  readonly authority: Authority;
  /** Of which the authority was made, for signing threads to make theirs. */
  readonly authorityParts: AuthorityParts;
  readonly jwt: JwtSigningKey;
  /** The operator's files as they were read last. */
  readonly plugged: PluggedIn | undefined;
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
 * @param plugged the operator's files, as they were read last
 * @param running what signs now: its key may be in no file any more
 * @throws StoreError, SignerError, TrustStateError
 */
export function openTrust(
  store: Store,
  config: ServerConfig,
  state: TrustState,
  plugged: PluggedIn | undefined,
  running?: AuthorityParts,
): Trust {
  for (const each of state.authorities) assertNamedByKey(each);
  const bundle = bundleOf(state);
  const active = activeAuthority(state);
  const { id, chain, root } = active;
  const source = keySource(store, config, active, plugged, running);
  if (source === undefined) {
    const where = "neither in the data directory nor in --ca-dir";
    throw new StoreError(
      "store-key-missing",
      `the key of authority ${id}, which signs, is ${where}`,
      {
        hint:
          "files with another root are a rotation, which needs both keys: put the old files back into --ca-dir and start; then, " +
          "while the server runs, put the new ones there; or leave the old ones and: portcullis root prepare --from-dir DIR",
      },
    );
  }
  const authorityParts = { source, chain, root };
  const authority = signingAuthority(localSigner(authorityParts), chain, root, bundle.roots);
  return Object.freeze({
    state,
    bundle,
    authority,
    authorityParts,
    jwt: jwtSigningKey(store, state),
    plugged,
    crls: plugged?.crls ?? [],
    warnings: plugged?.warnings ?? [],
  });
}

/** By its name a leaked key is known again. @throws TrustStateError */
function assertNamedByKey(authority: AuthorityRecord): void {
  const keyId = signingKeyId(authority);
  if (authority.id === keyId) return;
  throw new TrustStateError(
    "trust-state-malformed",
    `expected authority ${keyId} by the name of its key, got ${authority.id}`,
    { hint: "restore the data directory from a backup; a new root would break every workload" },
  );
}

/**
 * Where the key of an authority is; undefined where nobody knows. An HSM may have keys of several authorities.
 * @throws StoreError for one that should be in the store
 */
export function keySource(
  store: Pick<Store, "signingKey">,
  { caKey }: Pick<ServerConfig, "caKey">,
  { id, key, chain, root }: Omit<AuthorityRecord, "state" | "sinceMs">,
  plugged: PluggedIn | undefined,
  running?: AuthorityParts,
): KeySource | undefined {
  if (key === "store") return { kind: "software", location: "store", key: store.signingKey(id) };
  if (plugged?.authority.id === id) return plugged.source;
  const signing = chain[0] ?? root;
  const isRunning = running !== undefined && equalBytes(running.chain[0] ?? running.root, signing);
  if (isRunning) return running.source;
  return caKey === undefined ? undefined : { kind: "pkcs11", uri: caKey };
}

function jwtSigningKey(store: Store, state: TrustState): JwtSigningKey {
  const keyId = activeJwtAuthority(state)?.keyId ?? "";
  return { keyId, privateKey: store.signingKey(keyId) };
}
