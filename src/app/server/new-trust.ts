/** The trust state of a directory that has none: on a root of our own or on the operator's, and a key for JWT-SVIDs. */

import { generateKeyPairSync, hash, randomBytes } from "node:crypto";
import { equalBytes } from "../../core/bytes.ts";
import type { PluggedAuthority } from "../../core/trust/plugged-trust.ts";
import {
  initialTrustState,
  type JwtAuthorityRecord,
  type TrustState,
} from "../../core/trust/trust-state.ts";
import { parseCertificate } from "../../core/x509/certificate.ts";
import type { ServerConfig } from "../../edge/config/server-config.ts";
import type { NewSigningKey, Store } from "../../edge/store/store.ts";

/** Durable when it returns. */
export async function createOwnTrust(
  store: Store,
  { trustDomain, rootKeyType }: ServerConfig,
  nowMs: number,
): Promise<TrustState> {
  // The library of the cold path costs a tenth of a second to load: only a first start pays it.
  const { createRoot } = await import("../../core/x509/root.ts");
  const root = await createRoot({
    trustDomain: trustDomain.name,
    keyType: rootKeyType,
    serial: randomBytes(16),
    nowMs,
  });
  const { subjectKeyId } = parseCertificate(root.certificate);
  const id = Buffer.from(subjectKeyId ?? []).toString("hex");
  const jwt = newJwtAuthority();
  const state = initialTrustState({
    trustDomain,
    authority: { id, state: "active", chain: [], root: root.certificate, key: "store" },
    jwtAuthority: jwt.record,
  });
  const keys = [{ id, privateKeyPkcs8: root.privateKeyPkcs8 }, jwt.key];
  store.initialize({ state, keys, nowMs });
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
    authority: { id, state: "active", chain, root, key: "external" },
    jwtAuthority: jwt.record,
    otherRoots: roots.filter((each) => !equalBytes(each, root)),
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
