/**
 * Envoy's bootstrap for a workload whose listeners, clusters and secrets all come from the agent's socket, over one ADS stream. There
 * is nothing in it that a policy could change.
 */

import { agentCluster } from "./agent-cluster.ts";
import type { Labels } from "../resources/resource.ts";
import { assertNode, assertSocketPath, bootstrapFrame, type FrameOptions } from "./bootstrap.ts";
import { sdsService, type EnvoyObject } from "./tls-context.ts";

export interface AdsBootstrapOptions extends FrameOptions {
  readonly variant: "sotw" | "delta";
  /** What policies select the proxy by, where no WorkloadEntry says it. */
  readonly labels: Labels;
}

/** @throws BootstrapError */
export function adsBootstrap(options: AdsBootstrapOptions): EnvoyObject {
  const { nodeId, nodeCluster, sdsSocketPath, adminSocketPath, variant, labels } = options;
  assertNode(nodeId, nodeCluster);
  for (const path of [sdsSocketPath, adminSocketPath]) assertSocketPath(path);
  const credential = options.sdsCredential ?? { kind: "none" };
  const metadata = labels.size > 0 ? { LABELS: Object.fromEntries(labels) } : undefined;
  const agent = sdsService(sdsSocketPath, credential);
  return {
    ...bootstrapFrame(options, metadata),
    // How many plaintext connections are still open on a port that takes none any more.
    stats_flush_interval: "1s",
    stats_sinks: [metricsSink(agent)],
    dynamic_resources: {
      ads_config: {
        api_type: variant === "delta" ? "DELTA_GRPC" : "GRPC",
        transport_api_version: "V3",
        set_node_on_first_message_only: true,
        grpc_services: [agent],
      },
      cds_config: fromAds,
      lds_config: fromAds,
    },
    static_resources: { clusters: [agentCluster(sdsSocketPath, credential)] },
  };
}

function metricsSink(agent: EnvoyObject): EnvoyObject {
  return {
    name: "envoy.stat_sinks.metrics_service",
    typed_config: {
      "@type": "type.googleapis.com/envoy.config.metrics.v3.MetricsServiceConfig",
      transport_api_version: "V3",
      grpc_service: agent,
      // Families in a message: an Envoy with thousands of clusters has too many for one.
      batch_size: 8_192,
      // Histograms are of no use here; they cannot be left out.
      histogram_emit_mode: "SUMMARY",
    },
  };
}

/** Waits without end: after 15 s Envoy would begin without listeners, and pass for ready. */
const fromAds = { ads: {}, resource_api_version: "V3", initial_fetch_timeout: "0s" };
