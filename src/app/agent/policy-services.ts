/** All services of the agent's socket that have to do with policies: what Envoys are told, what they ask, and what they tell. */

import type { Server } from "@grpc/grpc-js";
import type { Logger } from "../../edge/telemetry/logger.ts";
import { AdsService } from "./ads-service.ts";
import { AccessLogService } from "./connections/access-log-service.ts";
import type { ConnectionFeed } from "./connections/connection-feed.ts";
import { ListeningFeed } from "./connections/listening-feed.ts";
import { DrainingFeed } from "./policy/draining-feed.ts";
import { EnvoyMetricsService } from "./policy/envoy-metrics-service.ts";
import { ExtAuthzEvents } from "./policy/ext-authz-events.ts";
import { ExtAuthzService } from "./policy/ext-authz-service.ts";
import type { PolicyFeed } from "./policy/policy-feed.ts";
import type { XdsCalls } from "./xds-calls.ts";

export interface PolicyServicesOptions {
  readonly feed: PolicyFeed;
  readonly connections: ConnectionFeed;
  /** Whether a proxy's name is to be told with its workload's: there are others on this agent. */
  readonly namesWorkload: boolean;
  readonly log: Logger;
  readonly nowMs: () => number;
}

/** @returns what ends them, beside the server */
export function addPolicyServices(
  server: Server,
  calls: XdsCalls,
  { feed, connections, namesWorkload, log, nowMs }: PolicyServicesOptions,
): Disposable {
  const { findPeer, streamsMax } = calls;
  const draining = new DrainingFeed(feed, nowMs);
  const listening = new ListeningFeed(draining, connections);
  new AdsService(calls, { feed: listening, namesWorkload, nowMs }).addTo(server);
  const telling = { findPeer, namesWorkload, streamsMax };
  new EnvoyMetricsService({ ...telling, feeds: [draining, connections] }).addTo(server);
  new AccessLogService({ ...telling, feed: connections }).addTo(server);
  const events = new ExtAuthzEvents(log, nowMs);
  const authz = new ExtAuthzService({ feed, findPeer, namesWorkload, events, nowMs });
  authz.addTo(server);
  return authz;
}
