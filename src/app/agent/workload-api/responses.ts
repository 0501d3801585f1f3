/**
 * What the agent holds, as the messages of the Workload API. Each is the whole state (SPIFFE
 * Workload API 4.3). That of an X509-SVID holds the private key: it must never be logged or leave
 * the agent's own sockets.
 */

import { create } from "@bufbuild/protobuf";
import { encodeJwks } from "../../../core/spiffe/bundle-document.ts";
import {
  JWTBundlesResponseSchema,
  X509BundlesResponseSchema,
  X509SVIDResponseSchema,
  type JWTBundlesResponse,
  type X509BundlesResponse,
  type X509SVIDResponse,
} from "../../../gen/spiffe/workload/workload_pb.ts";
import type { WorkloadSet } from "../workload-set.ts";

export function x509SvidResponse({ certificate, bundle }: WorkloadSet): X509SVIDResponse {
  return create(X509SVIDResponseSchema, {
    svids: [
      {
        spiffeId: certificate.id.toString(),
        x509Svid: Buffer.concat(certificate.chain),
        x509SvidKey: Uint8Array.from(certificate.privateKeyPkcs8),
        bundle: Buffer.concat(bundle.roots),
      },
    ],
  });
}

export function x509BundlesResponse({ bundle }: WorkloadSet): X509BundlesResponse {
  const { trustDomain, roots } = bundle;
  return create(X509BundlesResponseSchema, {
    bundles: { [trustDomain.id.toString()]: Buffer.concat(roots) },
  });
}

export function jwtBundlesResponse({ bundle }: WorkloadSet): JWTBundlesResponse {
  const { trustDomain, jwtKeys } = bundle;
  return create(JWTBundlesResponseSchema, {
    bundles: { [trustDomain.id.toString()]: Buffer.from(encodeJwks(jwtKeys)) },
  });
}
