/**
 * TLS with the mesh's certificates, at both ends. The secrets come over ADS: what stands here names them, and never changes with
 * them.
 */

import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  SubjectAltNameMatcher_SanType as SanType,
  type SubjectAltNameMatcherSchema,
} from "../../gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";
import {
  DownstreamTlsContextSchema,
  TlsParameters_TlsProtocol as TlsProtocol,
  UpstreamTlsContextSchema,
  type CommonTlsContextSchema,
  type TlsParametersSchema,
} from "../../gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts";
import type { TrustDomain } from "../spiffe/id.ts";
import { adsSecret } from "./ads-source.ts";
import { typedConfig, type TypedConfig } from "./extension.ts";
import { certificateSecretName, validationSecretName } from "./secret.ts";

export interface TransportSocket {
  readonly name: string;
  readonly configType: TypedConfig;
}

export type SanMatcher = MessageInitShape<typeof SubjectAltNameMatcherSchema>;

const tlsSocketName = "envoy.transport_sockets.tls";

/** An upstream context ends at TLS 1.2 unless it is told otherwise. */
export const tlsParams: MessageInitShape<typeof TlsParametersSchema> = {
  tlsMinimumProtocolVersion: TlsProtocol.TLSv1_2,
  tlsMaximumProtocolVersion: TlsProtocol.TLSv1_3,
};

/** Every workload: what is not under `/ns/` is the control plane's own, or has no namespace to have policies in. */
export function workloadMatcher(trustDomain: TrustDomain): SanMatcher {
  const prefix = `${trustDomain.id.toString()}/ns/`;
  return { sanType: SanType.URI, matcher: { matchPattern: { case: "prefix", value: prefix } } };
}

export function exactMatcher(sanType: SanType, value: string): SanMatcher {
  return { sanType, matcher: { matchPattern: { case: "exact", value } } };
}

/** Demands a certificate of the mesh that `peer` matches. */
export function meshServerSocket(peer: SanMatcher): TransportSocket {
  return tlsSocket(
    typedConfig(DownstreamTlsContextSchema, {
      requireClientCertificate: true,
      // A resumed session accepts a client certificate that has expired since.
      sessionTicketKeysType: { case: "disableStatelessSessionResumption", value: true },
      disableStatefulSessionResumption: true,
      // Never Istio's `istio-peer-exchange`: who negotiates it sends its metadata first, which would go to the application.
      commonTlsContext: { ...meshContext([peer]), alpnProtocols: ["h2", "http/1.1"] },
    }),
  );
}

export interface MeshClient {
  readonly sni: string;
  /** Any of them will do; at least one. */
  readonly peers: readonly SanMatcher[];
  readonly alpn: readonly string[];
}

export function meshClientSocket({ sni, peers, alpn }: MeshClient): TransportSocket {
  return clientSocket({
    sni,
    commonTlsContext: { ...meshContext(peers), alpnProtocols: [...alpn] },
  });
}

export function clientSocket(
  init: MessageInitShape<typeof UpstreamTlsContextSchema>,
): TransportSocket {
  // No session is kept: a server that has lost its right to its name would otherwise go on with it.
  return tlsSocket(typedConfig(UpstreamTlsContextSchema, { maxSessionKeys: 0, ...init }));
}

function meshContext(
  peers: readonly SanMatcher[],
): MessageInitShape<typeof CommonTlsContextSchema> & object {
  return {
    tlsParams,
    tlsCertificateSdsSecretConfigs: [adsSecret(certificateSecretName)],
    validationContextType: {
      case: "combinedValidationContext",
      value: {
        defaultValidationContext: { matchTypedSubjectAltNames: [...peers] },
        validationContextSdsSecretConfig: adsSecret(validationSecretName),
      },
    },
  };
}

function tlsSocket(configType: TypedConfig): TransportSocket {
  return { name: tlsSocketName, configType };
}
