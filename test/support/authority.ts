/** Authorities for tests: a root of ours, made once, and the signing machinery on top of it. */

import { createPrivateKey, randomBytes, type KeyObject } from "node:crypto";
import { signingAuthority, type Authority } from "../../src/core/issuance/authority.ts";
import { TrustDomain } from "../../src/core/spiffe/id.ts";
import { trustBundle, type TrustBundle } from "../../src/core/spiffe/trust-bundle.ts";
import { parseCertificate } from "../../src/core/x509/certificate.ts";
import { createRoot, type RootKeyType } from "../../src/core/x509/root.ts";
import { softwareSigner } from "../../src/core/x509/signer.ts";

export const TEST_TRUST_DOMAIN: TrustDomain = TrustDomain.parse("cluster.local");

export interface TestAuthority {
  readonly authority: Authority;
  readonly bundle: TrustBundle;
  readonly root: Uint8Array;
  readonly privateKeyPkcs8: Uint8Array;
  readonly privateKey: KeyObject;
}

export async function makeAuthority(keyType: RootKeyType, nowMs: number): Promise<TestAuthority> {
  const { certificate: root, privateKeyPkcs8 } = await createRoot({
    trustDomain: TEST_TRUST_DOMAIN.name,
    keyType,
    serial: randomBytes(16),
    nowMs,
  });
  const privateKey = createPrivateKey({
    key: Buffer.from(privateKeyPkcs8),
    format: "der",
    type: "pkcs8",
  });
  const bundle = trustBundle(TEST_TRUST_DOMAIN, 1n, [root]);
  const signer = softwareSigner(privateKey, parseCertificate(root).spki);
  const authority = signingAuthority(signer, [], root, bundle.roots);
  return { authority, bundle, root, privateKeyPkcs8, privateKey };
}
