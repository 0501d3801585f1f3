/**
 * What the agent holds, as the messages of the Workload API. Each is the whole state (SPIFFE
 * Workload API 4.3). That of an X509-SVID holds the private key: it must never be logged or leave
 * the agent's own sockets.
 */

import { create } from "@bufbuild/protobuf";
import { certificateSecretName, validationSecretName } from "../../../core/envoy/secret.ts";
import { encodeJwks } from "../../../core/spiffe/bundle-document.ts";
import { rootsDigest } from "../../../core/spiffe/roots-digest.ts";
import {
  JWTBundlesResponseSchema,
  X509BundlesResponseSchema,
  X509SVIDResponseSchema,
  type JWTBundlesResponse,
  type X509BundlesResponse,
  type X509SVIDResponse,
} from "../../../gen/spiffe/workload/workload_pb.ts";
import type { WorkloadSet } from "../workload-set.ts";
import type { Holding, StreamContent } from "./workload-streams.ts";

export const x509Svids: StreamContent<typeof X509SVIDResponseSchema> = {
  schema: X509SVIDResponseSchema,
  respond: x509SvidResponse,
  holds: (set, atMs) => [holdsCertificate(set, atMs), holdsBundle(set, atMs)],
};

export const x509Bundles: StreamContent<typeof X509BundlesResponseSchema> = {
  schema: X509BundlesResponseSchema,
  respond: x509BundlesResponse,
  holds: (set, atMs) => [holdsBundle(set, atMs)],
};

export const jwtBundles: StreamContent<typeof JWTBundlesResponseSchema> = {
  schema: JWTBundlesResponseSchema,
  respond: jwtBundlesResponse,
};

/** Under the names that a proxy would have asked for. */
function holdsCertificate({ certificate }: WorkloadSet, atMs: number): Holding {
  const { serialHex, notAfterMs } = certificate;
  const acked = { atMs, bundleSequence: 0n, certificate: { serialHex, notAfterMs } };
  return { resourceName: certificateSecretName, acked };
}

function holdsBundle({ bundle }: WorkloadSet, atMs: number): Holding {
  const { sequence: bundleSequence, roots } = bundle;
  const acked = { atMs, bundleSequence, rootsDigest: rootsDigest(roots) };
  return { resourceName: validationSecretName, acked };
}

function x509SvidResponse({ certificate, bundle }: WorkloadSet): X509SVIDResponse {
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

function x509BundlesResponse({ bundle }: WorkloadSet): X509BundlesResponse {
  const { trustDomain, roots } = bundle;
  return create(X509BundlesResponseSchema, {
    bundles: { [trustDomain.id.toString()]: Buffer.concat(roots) },
  });
}

function jwtBundlesResponse({ bundle }: WorkloadSet): JWTBundlesResponse {
  const { trustDomain, jwtKeys } = bundle;
  return create(JWTBundlesResponseSchema, {
    bundles: { [trustDomain.id.toString()]: Buffer.from(encodeJwks(jwtKeys)) },
  });
}
