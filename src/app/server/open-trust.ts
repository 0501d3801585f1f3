/** From a trust state to authorities that sign: each key from where it is, and the roots in a file for others. */

import type { KeyObject } from "node:crypto";
import { join } from "node:path";
import { equalBytes } from "../../core/bytes.ts";
import type { CaWarning } from "../../core/ca/ca-warning.ts";
import { signingAuthority, type Authority } from "../../core/issuance/authority.ts";
import type { TrustBundle } from "../../core/spiffe/trust-bundle.ts";
import {
  activeAuthority,
  activeJwtAuthority,
  bundleOf,
  type AuthorityRecord,
  type TrustState,
} from "../../core/trust/trust-state.ts";
import { encodeCertificates } from "../../core/x509/pem.ts";
import { readBoundedFile, writeFileAtomic } from "../../edge/config/private-files.ts";
import type { ServerConfig } from "../../edge/config/server-config.ts";
import { bundleFileName, StoreError, type Store } from "../../edge/store/store.ts";
import { localSigner } from "./open-signer.ts";
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
 * @throws StoreError, SignerError, PrivateFileError
 */
export async function openTrust(
  store: Store,
  config: ServerConfig,
  state: TrustState,
  plugged: PluggedIn | undefined,
  running?: AuthorityParts,
): Promise<Trust> {
  const bundle = bundleOf(state);
  const active = activeAuthority(state);
  const { id, chain, root } = active;
  const source = keySource(store, config, active, plugged, running);
  if (source === undefined) {
    throw new StoreError("store-key-missing", `the key of authority ${id} is nowhere`, {
      hint: "put its files back into --ca-dir, start, and change them while the server runs: then it can rotate",
    });
  }
  const authorityParts = { source, chain, root };
  const authority = signingAuthority(localSigner(authorityParts), chain, root, bundle.roots);
  await publishRoots(config, bundle);
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

/** The copy for others. Not written where it is there already: each write waits for the disk. @throws PrivateFileError */
export async function publishRoots(
  { dataDir }: Pick<ServerConfig, "dataDir">,
  { roots }: TrustBundle,
): Promise<void> {
  const path = join(dataDir, bundleFileName);
  const bytes = Buffer.from(encodeCertificates(roots));
  const found = await readBoundedFile(path, bytes.length).catch(() => undefined);
  if (found === undefined || !equalBytes(found, bytes)) await writeFileAtomic(path, bytes, 0o644);
}

function jwtSigningKey(store: Store, state: TrustState): JwtSigningKey {
  const keyId = activeJwtAuthority(state)?.keyId ?? "";
  return { keyId, privateKey: store.signingKey(keyId) };
}
