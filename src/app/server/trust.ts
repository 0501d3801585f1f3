/**
 * From the data directory to an authority that signs: loads the trust state, or makes the first one in a directory that
 * has never had any. What cannot be read stops the start; it is never replaced.
 */

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { signingAuthority, type Authority } from "../../core/issuance/authority.ts";
import type { TrustBundle } from "../../core/spiffe/trust-bundle.ts";
import {
  activeAuthority,
  bundleOf,
  initialTrustState,
  type TrustState,
} from "../../core/trust/trust-state.ts";
import { parseCertificate } from "../../core/x509/certificate.ts";
import { encodeCertificates } from "../../core/x509/pem.ts";
import { softwareSigner } from "../../core/x509/signer.ts";
import { writeFileAtomic } from "../../edge/config/private-files.ts";
import type { ServerConfig } from "../../edge/config/server-config.ts";
import { bundleFileName, StoreError, type Store } from "../../edge/store/store.ts";

export interface Trust {
  readonly state: TrustState;
  readonly bundle: TrustBundle;
  readonly authority: Authority;
}

/** @throws StoreError, TrustStateError */
export async function loadTrust(store: Store, config: ServerConfig, nowMs: number): Promise<Trust> {
  const state = store.loadTrustState() ?? (await createTrust(store, config, nowMs));
  if (!state.trustDomain.equals(config.trustDomain)) {
    throw new StoreError(
      "store-trust-domain",
      `expected trust domain ${state.trustDomain.name} of ${config.dataDir}, got ${config.trustDomain.name}`,
      { hint: "start with the trust domain that the directory was made for" },
    );
  }
  const bundle = bundleOf(state);
  const active = activeAuthority(state);
  const certificate = parseCertificate(active.chain[0] ?? active.root);
  const signer = softwareSigner(store.signingKey(active.id), certificate.spki);
  const authority = signingAuthority(signer, active.chain, active.root, bundle);
  await writeFileAtomic(
    join(config.dataDir, bundleFileName),
    Buffer.from(encodeCertificates(bundle.roots)),
    0o644,
  );
  return { state, bundle, authority };
}

async function createTrust(
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
  const authority = {
    id,
    state: "active",
    chain: [],
    root: root.certificate,
    key: "store",
  } as const;
  const state = initialTrustState(trustDomain, authority);
  store.initialize({ state, keyId: id, privateKeyPkcs8: root.privateKeyPkcs8, nowMs });
  return state;
}
