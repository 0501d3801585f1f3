/** What `status` says, as a value for programs: the wire's answer with plain times, and one line for each proxy. */

import { timestampMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import type {
  GetStatusResponse,
  ProxyStatus,
  SubscriptionStatus,
} from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { formatTimestamp } from "./format.ts";
import { kubeStatusValue, type KubeStatusValue } from "./kube-status.ts";
import { reloadRefusalValue, type ReloadRefusalValue } from "./reload-refusal-value.ts";

/** Times are RFC 3339, empty where there is none. */
export type StatusValue = {
  readonly now: string;
  readonly server: {
    readonly version: string;
    readonly trustDomain: string;
    readonly startedAt: string;
    readonly bundleSequence: number;
    readonly certificatesSigned: number;
    readonly requestsRefused: number;
    readonly servingNotAfter: string;
    readonly agentsConnected: number;
    readonly logEntries: number;
    readonly logAlarms: number;
    readonly problems: readonly string[];
  };
  readonly authorities: readonly {
    readonly id: string;
    readonly state: string;
    readonly keyType: string;
    readonly notAfter: string;
  }[];
  readonly proxies: readonly ProxyValue[];
  /** What lies on disk and was refused, so that something older runs: "configuration", "ca". */
  readonly reloadRefusals: readonly ReloadRefusalValue[];
  /** The cluster that the server is in; null where it is in none. */
  readonly kube: KubeStatusValue | null;
};

export type ProxyValue = {
  readonly proxy: string;
  readonly agent: string;
  readonly identity: string;
  readonly pod: string;
  /** The node agent that speaks for it; empty where it speaks for itself. */
  readonly reportedBy: string;
  readonly connected: boolean;
  readonly lastSeen: string;
  readonly serial: string;
  readonly notAfter: string;
  /** The newest bundle that all subscriptions to one have accepted; 0 when there is none. */
  readonly bundleConfirmed: number;
  readonly subscriptions: readonly {
    readonly name: string;
    readonly serial: string;
    readonly notAfter: string;
    readonly bundleSequence: number;
    readonly ackedAt: string;
    readonly nack: string;
    readonly nackedAt: string;
  }[];
};

export function statusValue(status: GetStatusResponse): StatusValue {
  const { server } = status;
  const nowMs = ms(status.now) ?? 0;
  return {
    now: formatTimestamp(nowMs),
    server: {
      version: server?.version ?? "",
      trustDomain: server?.trustDomain ?? "",
      startedAt: text(server?.startedAt),
      bundleSequence: Number(server?.bundleSequence ?? 0),
      certificatesSigned: Number(server?.certificatesSigned ?? 0),
      requestsRefused: Number(server?.requestsRefused ?? 0),
      servingNotAfter: text(server?.servingNotAfter),
      agentsConnected: server?.agentsConnected ?? 0,
      logEntries: Number(server?.logEntries ?? 0),
      logAlarms: server?.logAlarms ?? 0,
      problems: server?.problems ?? [],
    },
    authorities: status.authorities.map(({ id, state, keyType, notAfter }) => ({
      id,
      state,
      keyType,
      notAfter: text(notAfter),
    })),
    proxies: status.proxies.map((proxy) => proxyValue(proxy)),
    reloadRefusals: status.reloadRefusals.map(reloadRefusalValue),
    kube: status.kube === undefined ? null : kubeStatusValue(status.kube),
  };
}

function proxyValue(proxy: ProxyStatus): ProxyValue {
  const held = proxy.subscriptions.filter(({ serial }) => serial !== "");
  // The weakest subscription speaks for the proxy: one that lags is one that would fail.
  const [certificate] = held.toSorted((a, b) => (ms(a.notAfter) ?? 0) - (ms(b.notAfter) ?? 0));
  return {
    proxy: proxy.proxyId,
    agent: proxy.agentId,
    identity: proxy.spiffeId,
    pod: proxy.pod,
    reportedBy: proxy.reportedBy,
    connected: proxy.connected,
    lastSeen: text(proxy.lastSeen),
    serial: certificate?.serial ?? "",
    notAfter: text(certificate?.notAfter),
    bundleConfirmed: confirmedBundle(proxy.subscriptions),
    subscriptions: proxy.subscriptions.map((subscription) => ({
      name: subscription.resourceName,
      serial: subscription.serial,
      notAfter: text(subscription.notAfter),
      bundleSequence: Number(subscription.bundleSequence),
      ackedAt: text(subscription.ackedAt),
      nack: subscription.nackDetail,
      nackedAt: text(subscription.nackedAt),
    })),
  };
}

/** A bundle is confirmed when each subscription to one has confirmed it; 0 when there is none. */
function confirmedBundle(subscriptions: readonly SubscriptionStatus[]): number {
  const bundles = subscriptions.filter(({ serial, resourceName, bundleSequence }) => {
    return bundleSequence > 0n || (serial === "" && isValidationName(resourceName));
  });
  if (bundles.length === 0) return 0;
  return Math.min(...bundles.map(({ bundleSequence }) => Number(bundleSequence)));
}

function isValidationName(name: string): boolean {
  return name === "ROOTCA" || /^spiffe:\/\/[^/]+$/.test(name);
}

function ms(timestamp: Timestamp | undefined): number | undefined {
  return timestamp && timestampMs(timestamp);
}

function text(timestamp: Timestamp | undefined): string {
  return timestamp === undefined ? "" : formatTimestamp(timestampMs(timestamp));
}
