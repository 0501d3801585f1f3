/** A workload's certificate with its key, as a test's authority signs it. */

import type { WorkloadCertificate } from "../../src/core/envoy/secret.ts";
import { proveKey } from "../../src/core/issuance/workload.ts";
import type { SpiffeId } from "../../src/core/spiffe/id.ts";
import { verifyChain } from "../../src/core/x509/chain.ts";
import { createCsr } from "../../src/core/x509/csr-create.ts";
import { parseSinglePem } from "../../src/core/x509/pem.ts";
import type { TestAuthority } from "./authority.ts";
import { signTestLeaf } from "./ca-port.ts";

export async function makeTestLeaf(
  authority: TestAuthority,
  id: SpiffeId,
): Promise<WorkloadCertificate> {
  const { csrPem, privateKeyPkcs8 } = await createCsr();
  const request = { publicKey: proveKey(csrPem), uris: [id.toString()], ttlSeconds: 600 };
  const chain = [parseSinglePem(signTestLeaf(authority, request), "CERTIFICATE")];
  const { serialHex, notAfterMs } = verifyChain(chain, [authority.root], Date.now());
  return { id, chain, privateKeyPkcs8, serialHex, notAfterMs };
}
