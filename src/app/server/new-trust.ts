/** The trust state of a directory that has none: on a root of our own or on the operator's, and a key for JWT-SVIDs. */

import { generateKeyPairSync, hash, randomBytes, X509Certificate } from "node:crypto";
import { equalBytes } from "../../core/bytes.ts";
import type { PluggedAuthority } from "../../core/trust/plugged-trust.ts";
import {
  initialTrustState,
  type JwtAuthorityRecord,
  type NewAuthority,
  type TrustState,
} from "../../core/trust/trust-state.ts";
import { parseCertificate } from "../../core/x509/certificate.ts";
import { keyIdOf } from "../../core/x509/signer.ts";
import type { ServerConfig } from "../../edge/config/server-config.ts";
import type { RootKeyType } from "../../edge/config/server-settings.ts";
import type { NewSigningKey, Store } from "../../edge/store/store.ts";

/** With its key, which the store gets in the transaction that first trusts it. */
export interface MadeAuthority {
  readonly authority: NewAuthority;
  readonly keys: readonly NewSigningKey[];
}

/** A root of our own. */
export async function makeOwnAuthority(
  { trustDomain }: Pick<ServerConfig, "trustDomain">,
  keyType: RootKeyType,
  nowMs: number,
): Promise<MadeAuthority> {
  // The library of the cold path costs a tenth of a second to load: only who makes a root pays it.
  const { createRoot } = await import("../../core/x509/root.ts");
  const { certificate, privateKeyPkcs8 } = await createRoot({
    trustDomain: trustDomain.name,
    keyType,
    serial: randomBytes(16),
    nowMs,
  });
  const { spki } = parseCertificate(certificate);
  const id = keyIdOf(spki);
  const authority = { id, chain: [], root: certificate, key: "store", auto: false } as const;
  return { authority, keys: [{ id, privateKeyPkcs8 }] };
}

/** Whether it is one of those. An operator's may sign itself, too, under a name of its own. */
export function isOwnAuthority({ chain, root, key }: NewAuthority): boolean {
  if (chain.length > 0 || key !== "store") return false;
  return /^CN=Portcullis root [0-9a-f]{16}$/m.test(new X509Certificate(root).subject);
}

/** Durable when it returns. */
export async function createOwnTrust(
  store: Store,
  config: ServerConfig,
  nowMs: number,
): Promise<TrustState> {
  const { trustDomain, rootKeyType } = config;
  const { authority, keys } = await makeOwnAuthority(config, rootKeyType, nowMs);
  const jwt = newJwtAuthority();
  const state = initialTrustState({ trustDomain, authority, jwtAuthority: jwt.record, nowMs });
  store.initialize({ state, keys: [...keys, jwt.key], nowMs });
  return state;
}

/** Durable when it returns. The key stays where the operator has it. */
export function createPluggedTrust(
  store: Store,
  { trustDomain }: ServerConfig,
  { id, chain, root, roots }: PluggedAuthority,
  nowMs: number,
): TrustState {
  const jwt = newJwtAuthority();
  const state = initialTrustState({
    trustDomain,
    authority: { id, chain, root, key: "external", auto: false },
    jwtAuthority: jwt.record,
    otherRoots: roots.filter((each) => !equalBytes(each, root)),
    nowMs,
  });
  store.initialize({ state, keys: [jwt.key], nowMs });
  return state;
}

export interface NewJwtAuthority {
  readonly record: JwtAuthorityRecord;
  readonly key: NewSigningKey;
}

/** P-256, so that JWT-SVIDs are signed with ES256 (JWT-SVID 2.1). */
export function newJwtAuthority(): NewJwtAuthority {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const spki = new Uint8Array(publicKey.export({ format: "der", type: "spki" }));
  const keyId = hash("sha256", spki, "base64url");
  const privateKeyPkcs8 = privateKey.export({ format: "der", type: "pkcs8" });
  return {
    record: Object.freeze({ keyId, state: "active", spki }),
    key: { id: keyId, privateKeyPkcs8 },
  };
}
