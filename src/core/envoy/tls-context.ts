/** Envoy's TLS contexts over SDS, and how SDS is reached. */

import type { SpiffeId, TrustDomain } from "../spiffe/id.ts";
import { certificateSecretName, validationSecretName } from "./secret.ts";

/** A part of Envoy's configuration, in the JSON form of its protobuf messages. */
export type EnvoyObject = Readonly<Record<string, unknown>>;

/** The agent's socket, for all of its services. Istio's name for it. */
export const agentClusterName = "sds-grpc";

/** How Envoy proves to a node agent whose it is; a sidecar's own agent asks for nothing. */
export type SdsCredential =
  | { readonly kind: "none" }
  /**
   * Sent with each stream by Envoy's own gRPC client, which reads it from the bootstrap: it is never renewed, and the
   * bootstrap is as secret as the token.
   */
  | { readonly kind: "token"; readonly token: string }
  /** Read anew for each stream, by Google's gRPC client: Envoy's own has no such credentials. */
  | { readonly kind: "token-file"; readonly path: string };

/** A `GrpcService`. */
export function sdsService(socketPath: string, credential: SdsCredential): EnvoyObject {
  if (credential.kind === "token-file") {
    return { google_grpc: googleGrpc(socketPath, credential.path) };
  }
  if (credential.kind === "none") return { envoy_grpc: envoyGrpc };
  const bearer = { key: "authorization", value: `Bearer ${credential.token}` };
  return { envoy_grpc: envoyGrpc, initial_metadata: [bearer] };
}

/** Demands a certificate of the trust domain from every caller. */
export function downstreamTls(trustDomain: TrustDomain, sds: EnvoyObject): EnvoyObject {
  return transportSocket("DownstreamTlsContext", {
    require_client_certificate: true,
    // A resumed session accepts a client certificate that has expired since.
    disable_stateless_session_resumption: true,
    disable_stateful_session_resumption: true,
    common_tls_context: commonTlsContext(sds, { prefix: `${trustDomain.id.toString()}/` }),
  });
}

export function upstreamTls(
  serverId: SpiffeId,
  serverName: string | undefined,
  sds: EnvoyObject,
): EnvoyObject {
  return transportSocket("UpstreamTlsContext", {
    ...(serverName !== undefined && { sni: serverName }),
    max_session_keys: 0,
    common_tls_context: {
      ...commonTlsContext(sds, { exact: serverId.toString() }),
      // How a permissive Istio server tells a mesh peer from an application that speaks TLS by
      // itself.
      alpn_protocols: ["istio"],
    },
  });
}

/** @param filters of requests, if any */
export function sdsCluster(socketPath: string, filters: readonly EnvoyObject[] = []): EnvoyObject {
  return {
    name: agentClusterName,
    type: "STATIC",
    connect_timeout: "1s",
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        ...(filters.length > 0 && { http_filters: filters }),
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
      cluster_name: agentClusterName,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path: socketPath } } } }] }],
    },
  };
}

function commonTlsContext(sds: EnvoyObject, peerUri: EnvoyObject): EnvoyObject {
  return {
    // An upstream context ends at TLS 1.2 unless it is told otherwise.
    tls_params: {
      tls_minimum_protocol_version: "TLSv1_2",
      tls_maximum_protocol_version: "TLSv1_3",
    },
    tls_certificate_sds_secret_configs: [sdsSecret(certificateSecretName, sds)],
    combined_validation_context: {
      default_validation_context: {
        match_typed_subject_alt_names: [{ san_type: "URI", matcher: peerUri }],
      },
      validation_context_sds_secret_config: sdsSecret(validationSecretName, sds),
    },
  };
}

function sdsSecret(name: string, sds: EnvoyObject): EnvoyObject {
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
        grpc_services: [sds],
      },
    },
  };
}

const envoyGrpc = {
  cluster_name: agentClusterName,
  // The default back-off of 0.5 s to 30 s leaves proxies without certificates long after the
  // agent is back. Beside `envoy_grpc`, where GrpcService has this field, too, it does nothing.
  retry_policy: { retry_back_off: { base_interval: "0.2s", max_interval: "2s" } },
};

const fileCredentials = "envoy.grpc_credentials.file_based_metadata";

function googleGrpc(socketPath: string, tokenFile: string): EnvoyObject {
  return {
    target_uri: `unix:${socketPath}`,
    stat_prefix: "sds",
    // Call credentials are sent over a channel that counts as safe, which a Unix socket does by these.
    channel_credentials: { local_credentials: {} },
    call_credentials: [
      {
        from_plugin: {
          name: fileCredentials,
          typed_config: {
            "@type": "type.googleapis.com/envoy.config.grpc_credential.v3.FileBasedMetadataConfig",
            secret_data: { filename: tokenFile },
            header_prefix: "Bearer ",
          },
        },
      },
    ],
    // Without it the call credentials are passed over.
    credentials_factory_name: fileCredentials,
    channel_args: {
      args: {
        // As the keepalive of `sdsCluster`.
        "grpc.keepalive_time_ms": { int_value: "30000" },
        "grpc.keepalive_timeout_ms": { int_value: "5000" },
        // How long the channel itself waits before it dials an agent that was away.
        "grpc.max_reconnect_backoff_ms": { int_value: "2000" },
        // Of many clusters at once; the default is 4 MiB.
        "grpc.max_receive_message_length": { int_value: "67108864" },
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
