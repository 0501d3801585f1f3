/** Envoy's TLS contexts over SDS, and the cluster that SDS is reached through. */

import type { SpiffeId, TrustDomain } from "../spiffe/id.ts";
import { certificateSecretName, validationSecretName } from "./secret.ts";

/** A part of Envoy's configuration, in the JSON form of its protobuf messages. */
export type EnvoyObject = Readonly<Record<string, unknown>>;

/** Istio's name for it. */
const sdsClusterName = "sds-grpc";

/** Demands a certificate of the trust domain from every caller. */
export function downstreamTls(trustDomain: TrustDomain): EnvoyObject {
  return transportSocket("DownstreamTlsContext", {
    require_client_certificate: true,
    // A resumed session accepts a client certificate that has expired since.
    disable_stateless_session_resumption: true,
    disable_stateful_session_resumption: true,
    common_tls_context: commonTlsContext({ prefix: `${trustDomain.id.toString()}/` }),
  });
}

export function upstreamTls(serverId: SpiffeId, serverName: string | undefined): EnvoyObject {
  return transportSocket("UpstreamTlsContext", {
    ...(serverName !== undefined && { sni: serverName }),
    max_session_keys: 0,
    common_tls_context: {
      ...commonTlsContext({ exact: serverId.toString() }),
      // How a permissive Istio server tells a mesh peer from an application that speaks TLS by
      // itself.
      alpn_protocols: ["istio"],
    },
  });
}

export function sdsCluster(socketPath: string): EnvoyObject {
  return {
    name: sdsClusterName,
    type: "STATIC",
    connect_timeout: "1s",
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        explicit_http_config: {
          http2_protocol_options: {
            // Envoy never asks again by itself: an agent that hangs would otherwise go unnoticed
            // until expiry.
            connection_keepalive: { interval: "30s", timeout: "5s" },
          },
        },
      },
    },
    load_assignment: {
      cluster_name: sdsClusterName,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path: socketPath } } } }] }],
    },
  };
}

function commonTlsContext(peerUri: EnvoyObject): EnvoyObject {
  return {
    // An upstream context ends at TLS 1.2 unless it is told otherwise.
    tls_params: {
      tls_minimum_protocol_version: "TLSv1_2",
      tls_maximum_protocol_version: "TLSv1_3",
    },
    tls_certificate_sds_secret_configs: [sdsSecret(certificateSecretName)],
    combined_validation_context: {
      default_validation_context: {
        match_typed_subject_alt_names: [{ san_type: "URI", matcher: peerUri }],
      },
      validation_context_sds_secret_config: sdsSecret(validationSecretName),
    },
  };
}

function sdsSecret(name: string): EnvoyObject {
  const envoyGrpc = {
    cluster_name: sdsClusterName,
    // The default back-off of 0.5 s to 30 s leaves proxies without certificates long after the
    // agent is back. Beside `envoy_grpc`, where GrpcService has this field, too, it does nothing.
    retry_policy: { retry_back_off: { base_interval: "0.2s", max_interval: "2s" } },
  };
  return {
    name,
    sds_config: {
      // Otherwise Envoy opens its ports after 15 s without certificates and resets every
      // connection.
      initial_fetch_timeout: "0s",
      resource_api_version: "V3",
      api_config_source: {
        api_type: "GRPC",
        transport_api_version: "V3",
        set_node_on_first_message_only: true,
        grpc_services: [{ envoy_grpc: envoyGrpc }],
      },
    },
  };
}

function transportSocket(context: string, config: EnvoyObject): EnvoyObject {
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: {
      "@type": `type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.${context}`,
      ...config,
    },
  };
}
