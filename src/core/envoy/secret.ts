/**
 * A workload's certificate and trust bundle as the secrets that Envoy asks for over SDS, under the
 * names that Istio and SPIRE gave them. The bytes depend on the content alone, so that equal
 * content is never a new version: Envoy rebuilds its TLS contexts only for a secret that differs.
 *
 * The bodies hold the private key: they must never be logged or leave the agent's own sockets.
 */

import { createHash } from "node:crypto";
import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import {
  type CertificateValidationContextSchema,
  SecretSchema,
  SPIFFECertValidatorConfigSchema,
} from "../../gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";
import type { AckedEvidence } from "../roll/evidence.ts";
import type { SpiffeId, TrustDomain } from "../spiffe/id.ts";
import { rootsDigest } from "../spiffe/roots-digest.ts";
import type { TrustBundle } from "../spiffe/trust-bundle.ts";
import { encodeCertificates, encodePem } from "../x509/pem.ts";
import type { VersionedResource } from "../xds/resource.ts";

export const secretTypeUrl = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";

/** Istio's names, which are SPIRE's defaults, too. */
export const certificateSecretName = "default";
export const validationSecretName = "ROOTCA";

/** SPIRE's name for Envoy's SPIFFE validator, which takes each trust domain's roots for that trust domain only. */
const spiffeValidatorSecretName = "ALL";

export type SecretEvidence = Omit<AckedEvidence, "atMs">;
export type SecretResource = VersionedResource<SecretEvidence>;

export interface WorkloadCertificate {
  readonly id: SpiffeId;
  /** DER: the leaf, then its intermediates; no root, which the peer has to know by itself. */
  readonly chain: readonly Uint8Array[];
  readonly privateKeyPkcs8: Uint8Array;
  /** Of the leaf, lower-case hex. */
  readonly serialHex: string;
  readonly notAfterMs: number;
}

export function certificateSecretNames(id: SpiffeId): readonly string[] {
  return [certificateSecretName, id.toString()];
}

export function validationSecretNames(trustDomain: TrustDomain): readonly string[] {
  return [...plainValidationNames(trustDomain), spiffeValidatorSecretName];
}

/** Never for an expired leaf: Envoy would acknowledge it, and fail in every handshake. */
export function certificateSecrets(certificate: WorkloadCertificate): SecretResource[] {
  const { id, chain, privateKeyPkcs8, serialHex, notAfterMs } = certificate;
  const tlsCertificate = {
    certificateChain: inline(encodeCertificates(chain)),
    privateKey: inline(encodePem(privateKeyPkcs8, "PRIVATE KEY")),
  };
  const evidence = { certificate: { serialHex, notAfterMs }, bundleSequence: 0n };
  return certificateSecretNames(id).map((name) =>
    resource({ name, type: { case: "tlsCertificate", value: tlsCertificate } }, evidence),
  );
}

export function validationSecrets(bundle: TrustBundle): SecretResource[] {
  const trustedCa = inline(encodeCertificates(bundle.roots));
  const evidence = { bundleSequence: bundle.sequence, rootsDigest: rootsDigest(bundle.roots) };
  const { name } = bundle.trustDomain;
  const validator = create(SPIFFECertValidatorConfigSchema, {
    trustDomains: [{ name, trustBundle: trustedCa }],
  });
  const customValidatorConfig = {
    name: "envoy.tls.cert_validator.spiffe",
    typedConfig: anyPack(SPIFFECertValidatorConfigSchema, validator),
  };
  const context = (name: string, value: ValidationContextInit): SecretResource =>
    resource({ name, type: { case: "validationContext", value } }, evidence);
  return [
    ...plainValidationNames(bundle.trustDomain).map((name) => context(name, { trustedCa })),
    context(spiffeValidatorSecretName, { customValidatorConfig }),
  ];
}

type ValidationContextInit = MessageInitShape<typeof CertificateValidationContextSchema>;

function plainValidationNames(trustDomain: TrustDomain): readonly string[] {
  return [validationSecretName, trustDomain.id.toString()];
}

function inline(pem: string): {
  specifier: { case: "inlineBytes"; value: Uint8Array<ArrayBuffer> };
} {
  return { specifier: { case: "inlineBytes", value: new TextEncoder().encode(pem) } };
}

function resource(
  init: MessageInitShape<typeof SecretSchema> & { readonly name: string },
  evidence: SecretEvidence,
): SecretResource {
  const body = toBinary(SecretSchema, create(SecretSchema, init));
  const version = createHash("sha256").update(body).digest("hex").slice(0, 32);
  return Object.freeze({ name: init.name, version, body, evidence: Object.freeze(evidence) });
}
