/**
 * Envoy's configuration as users of SPIRE write it: an SDS cluster on the agent's socket, secrets by
 * SPIFFE IDs, one inbound and one outbound port. It shares nothing with `core/envoy/bootstrap.ts`.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import type { EnvoyObject } from "../../src/core/envoy/tls-context.ts";
import { startEnvoy, type EnvoyProcess } from "../../src/edge/envoy/process.ts";
import { freePort, testEnvoy } from "../support/envoy.ts";

export interface SpireEnvoyOptions {
  /** Its own. */
  readonly directory: string;
  readonly sdsSocketPath: string;
  /** Name of its own certificate. */
  readonly certificate: string;
  /** Of a `CommonTlsContext`: whom it trusts. */
  readonly validation: EnvoyObject;
  readonly appPort: number;
  /** Where the outbound port leads; by default to the inbound one. */
  readonly serverPort?: number;
}

export interface SpireEnvoy extends AsyncDisposable {
  readonly process: EnvoyProcess;
  /** Where mTLS comes in. */
  readonly inbound: number;
  /** Where plaintext comes in, for the server. */
  readonly outbound: number;
}

/** Resolves when it runs, not when it has its secrets. */
export async function startSpireEnvoy(options: SpireEnvoyOptions): Promise<SpireEnvoy> {
  const { directory, appPort, sdsSocketPath } = options;
  const adminSocketPath = join(directory, "admin.sock");
  const [inbound, outbound] = [await freePort(), await freePort()];
  const tls = { ...tlsParams(options.certificate), ...options.validation };
  const bootstrap = {
    node: { id: "stock-envoy", cluster: "stock" },
    admin: { address: { pipe: { path: adminSocketPath } } },
    static_resources: {
      listeners: [
        listener("inbound", inbound, {
          name: "envoy.transport_sockets.tls",
          typed_config: {
            "@type": `${tlsTypes}.DownstreamTlsContext`,
            require_client_certificate: true,
            common_tls_context: tls,
          },
        }),
        listener("outbound", outbound),
      ],
      clusters: [
        sdsCluster(sdsSocketPath),
        cluster("inbound", appPort),
        {
          ...cluster("outbound", options.serverPort ?? inbound),
          transport_socket: {
            name: "envoy.transport_sockets.tls",
            typed_config: {
              "@type": `${tlsTypes}.UpstreamTlsContext`,
              common_tls_context: tls,
            },
          },
        },
      ],
    },
  };
  const binary = await testEnvoy();
  const process = await startEnvoy({ binary, bootstrap, adminSocketPath, directory });
  return { process, inbound, outbound, [Symbol.asyncDispose]: async () => process.stop() };
}

/** What SPIRE serves under `name`, for a peer with one of `ids`. */
export function validationOverSds(name: string, ids: readonly string[]): EnvoyObject {
  assert(ids.length > 0);
  return {
    combined_validation_context: {
      default_validation_context: { match_typed_subject_alt_names: ids.map(exactUri) },
      validation_context_sds_secret_config: sdsSecret(name),
    },
  };
}

/** @param config of `SPIFFECertValidatorConfig` */
export function spiffeValidator(config: EnvoyObject, ids: readonly string[]): EnvoyObject {
  assert(ids.length > 0);
  return {
    validation_context: {
      match_typed_subject_alt_names: ids.map(exactUri),
      custom_validator_config: {
        name: "envoy.tls.cert_validator.spiffe",
        typed_config: { "@type": `${tlsTypes}.SPIFFECertValidatorConfig`, ...config },
      },
    },
  };
}

const tlsTypes = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";
const sdsClusterName = "spire_agent";

function exactUri(id: string): EnvoyObject {
  return { san_type: "URI", matcher: { exact: id } };
}

function tlsParams(certificate: string): EnvoyObject {
  return {
    // An upstream context ends at TLS 1.2 unless it is told otherwise.
    tls_params: { tls_maximum_protocol_version: "TLSv1_3" },
    tls_certificate_sds_secret_configs: [sdsSecret(certificate)],
  };
}

function sdsSecret(name: string): EnvoyObject {
  const service = { envoy_grpc: { cluster_name: sdsClusterName } };
  return {
    name,
    sds_config: {
      resource_api_version: "V3",
      api_config_source: {
        api_type: "GRPC",
        transport_api_version: "V3",
        grpc_services: [service],
      },
    },
  };
}

function sdsCluster(path: string): EnvoyObject {
  return {
    name: sdsClusterName,
    connect_timeout: "0.25s",
    http2_protocol_options: {},
    load_assignment: {
      cluster_name: sdsClusterName,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path } } } }] }],
    },
  };
}

function cluster(name: string, port: number): EnvoyObject {
  const endpoint = { address: loopback(port) };
  return {
    name,
    connect_timeout: "1s",
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint }] }] },
  };
}

function listener(name: string, port: number, transportSocket?: EnvoyObject): EnvoyObject {
  const proxy = {
    name: "envoy.filters.network.tcp_proxy",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
      stat_prefix: name,
      cluster: name,
    },
  };
  const chain = {
    filters: [proxy],
    ...(transportSocket !== undefined && { transport_socket: transportSocket }),
  };
  return { name, stat_prefix: name, address: loopback(port), filter_chains: [chain] };
}

function loopback(port: number): EnvoyObject {
  return { socket_address: { address: "127.0.0.1", port_value: port } };
}
