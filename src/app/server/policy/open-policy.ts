/** The configuration, and who is told what because of it. */

import { PolicyLog } from "../../../edge/telemetry/policy-events.ts";
import { reportedPolicyBytesMax } from "../../../edge/rpc/policy-report-messages.ts";
import type { ServerConfig } from "../../../edge/config/server-config.ts";
import type { LogKeeper } from "../log/log-keeper.ts";
import type { ConnectionEvidence } from "../evidence/connection-evidence.ts";
import type { ConnectionIntake } from "../evidence/connection-intake.ts";
import { failureFields } from "../failure-fields.ts";
import { openConnections, type OpenedConnections } from "../evidence/open-evidence.ts";
import { openFlips, type OpenedFlips } from "../flips/open-flips.ts";
import { openKubeConfiguration } from "../kube/configuration/kube-configuration.ts";
import { GonePods } from "../kube/configuration/gone-pods.ts";
import { openPodFarewells } from "../kube/configuration/open-pod-farewells.ts";
import type { Parts } from "../parts.ts";
import { PolicyControl } from "./policy-control.ts";
import type { PolicyProxy } from "./policy-proxy.ts";
import { openResources } from "./resources/open-resources.ts";
import type { Resources } from "./resources/resources.ts";
import type { OwnersView } from "./silent-owners.ts";

export interface Policy {
  readonly resources: Resources;
  readonly control: PolicyControl;
  /** Who calls whom; undefined where it is not recorded. */
  readonly connections: PolicyConnections | undefined;
  readonly flips: OpenedFlips;
}

export interface PolicyConnections {
  readonly intake: ConnectionIntake;
  readonly evidence: ConnectionEvidence;
}

export interface PolicyOptions {
  readonly config: ServerConfig;
  readonly nowMs: () => number;
  /** Aborted when shutdown begins. */
  readonly signal: AbortSignal;
}

/** @throws StoreError; the reason of the signal */
export async function openPolicy(
  parts: Parts,
  { config, nowMs, signal }: PolicyOptions,
  owned: AsyncDisposableStack,
): Promise<Policy> {
  const { store, keeper, log, live, evidence, transparency } = parts;
  const record: LogKeeper["event"] = (event) => keeper.event(event);
  const { resourcesDir } = config;
  const stored = store.resources;
  const resources = await openResources(
    { resourcesDir, stored, record, log, nowMs, signal },
    owned,
  );
  const { dataDir, trustDomain, clusterDomain } = config;
  const cluster = await openKubeConfiguration(
    parts.kube,
    { resources, clusterDomain, log, nowMs: () => performance.now(), signal },
    owned,
  );
  const named = { dataDir, trustDomain: trustDomain.name, nowMs, cluster };
  const connections = await openConnections(parts, { resources: resources.set, ...named }, owned);
  const policyLog = new PolicyLog(log);
  const gonePods =
    cluster &&
    owned.use(
      new GonePods({
        certificates: transparency.reader.certificates,
        podOf: (name) => cluster.podOf(name),
        isListed: () => cluster.pods.state().listedMs !== undefined,
        isConnected: (agent) => parts.roll.agent(agent)?.connected === true,
        identities: () => unheardIn(control, connections?.watch),
        onFailed: (error) =>
          log.error(
            { event: "gone-pods-not-read", ...failureFields(error) },
            "who waits for a pod that is gone is not known",
          ),
        nowMs,
      }),
    );
  const control: PolicyControl = owned.use(
    new PolicyControl({
      trustDomain: trustDomain.name,
      watch: connections?.watch,
      gonePods,
      isKnown: () => cluster?.isComplete() !== false,
      events: {
        policyRefused: (proxy, objects) => {
          const { detail = "", resources: refused = [] } = proxy.said.nack ?? {};
          policyLog.refused(nameOf(proxy), detail, refused, objects);
        },
        policyTooLarge: (proxy, octets) =>
          policyLog.tooLarge(nameOf(proxy), octets, reportedPolicyBytesMax),
        policyDropped: (reporter, claimed) =>
          log.warn(
            { event: "policy-dropped", ...reporter, claimed },
            "an agent tells more of an identity's proxies than there is room for: they are waited for",
          ),
      },
      owners: (): OwnersView => evidence.view.owners(),
      nodeAgents: () => new Set(live.config.nodeAgents.map((each) => each.toString())),
      newestNotAfterMs: (spiffeId) =>
        transparency.reader.certificates.newest(spiffeId)?.validUntilMs ?? 0,
      provenNowMs: () => keeper.proven.nowMs(),
      nowMs,
    }),
  );
  evidence.view.watchOwners(() => control.isWaiting);
  control.change(
    resources.set.objects().map(({ object }) => object),
    [],
  );
  owned.use(resources.set.onChange(({ set, deleted }) => control.change(set, deleted)));
  if (cluster !== undefined) {
    openPodFarewells(parts, { cluster, control, trustDomain: trustDomain.name, nowMs }, owned);
  }
  const found = connections && {
    intake: connections.intake,
    evidence: connections.evidenceOf(control),
  };
  const flips = openFlips(
    parts,
    { resources, control, connections: found, trustDomain: trustDomain.name, nowMs },
    owned,
  );
  return { resources, control, connections: found, flips };
}

/** Identities of all of whom nobody hears. */
function* unheardIn(
  { proxies, expected }: PolicyControl,
  evidence: Pick<OpenedConnections["watch"], "untold"> | undefined,
): Generator<string> {
  for (const { spiffeId } of proxies.away()) yield spiffeId;
  for (const key of expected.keys()) yield key.slice(0, key.indexOf(" "));
  yield* evidence?.untold() ?? [];
}

function nameOf({ spiffeId, said, reporter }: PolicyProxy) {
  return { spiffeId, proxyId: said.proxyId, agentId: reporter.agentId };
}
