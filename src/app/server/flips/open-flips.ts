/** Flips, put together: what is held back is in force when this returns, before any proxy is told anything. */

import { FlipEvents } from "../../../edge/telemetry/flip-events.ts";
import type { Parts } from "../parts.ts";
import type { ConnectionEvidence } from "../evidence/connection-evidence.ts";
import type { ConnectionIntake } from "../evidence/connection-intake.ts";
import { failureFields } from "../failure-fields.ts";
import { ClusterEdits } from "../kube/writes/cluster-edits.ts";
import type { LogKeeper } from "../log/log-keeper.ts";
import type { Session } from "../mesh/mesh-session.ts";
import type { PolicyControl } from "../policy/policy-control.ts";
import type { Resources } from "../policy/resources/resources.ts";
import { CallerWaivers } from "./caller-waivers.ts";
import { notRecorded } from "./evidence-questions.ts";
import { FlipConfiguration } from "./flip-configuration.ts";
import { FlipEdits } from "./flip-edits.ts";
import { FlipRegister } from "./flip-register.ts";
import type { FlipServiceDependencies } from "./flip-service.ts";
import { Flips } from "./flips.ts";
import { HurriedStreams } from "./hurried-streams.ts";
import { LookBacks } from "./look-backs.ts";
import { PermissiveDebts } from "./permissive-debts.ts";
import { portColumns, type PortColumns } from "./port-columns.ts";
import { absenceBy, listenersBy } from "./proxy-absence.ts";
import { TargetJudge } from "./target-judge.ts";

export interface OpenFlipsOptions {
  readonly resources: Resources;
  readonly control: PolicyControl;
  readonly connections:
    | { readonly intake: ConnectionIntake; readonly evidence: ConnectionEvidence }
    | undefined;
  readonly trustDomain: string;
  readonly nowMs: () => number;
}

export interface OpenedFlips extends FlipServiceDependencies {
  readonly columns: () => Promise<PortColumns>;
  /** Where flips write what stands in the server's cluster; undefined where it is in none. */
  readonly clusterEdits: ClusterEdits | undefined;
}

const pruneMs = 60_000;

/** @param owned ends them. @throws StoreError; FlipError `flip-malformed`; whatever SQLite throws */
export function openFlips(
  { store, keeper, log, metrics, live, kube, trustSecret }: Parts,
  { resources, control, connections, trustDomain, nowMs }: OpenFlipsOptions,
  owned: AsyncDisposableStack,
): OpenedFlips {
  const { set } = resources;
  const record: LogKeeper["event"] = (event) => keeper.event(event);
  const questions = connections?.evidence ?? notRecorded;
  const configuration = owned.use(new FlipConfiguration(set, trustDomain));
  const debts = owned.use(new PermissiveDebts({ set, events: () => events, nowMs }));
  const waivers = new CallerWaivers({
    stored: store.callerWaivers,
    record,
    onChange: () => flips.look(),
    nowMs,
  });
  const events: FlipEvents = new FlipEvents(log, metrics.registry, {
    underWay: () => flips.underWay.length,
    overdue: () => debts.overdue.length,
  });
  const judging = {
    questions,
    configuration,
    waivers,
    absenceOf: absenceBy(control),
    hasListeners: listenersBy(control),
    anewMs: connections?.evidence.anewMs,
    nowMs,
  };
  const openClusterEdits = (): ClusterEdits | undefined => {
    if (kube === undefined) return undefined;
    const ending = new AbortController();
    owned.defer(() => ending.abort());
    const assertMayEdit = (): void => trustSecret?.assertNotOvertaken();
    const { signal } = ending;
    return new ClusterEdits({ connection: kube.connection, set, assertMayEdit, signal });
  };
  const hurried = new HurriedStreams<Session>((...of) => connections?.intake.hurry(...of));
  const clusterEdits = openClusterEdits();
  const edits = new FlipEdits({ resources, configuration, cluster: clusterEdits });
  const register = new FlipRegister({ stored: store.flips, record });
  const flips: Flips = new Flips({ ...judging, register, control, edits, hurried, events });
  owned.use(flips);
  owned.use(configuration.onChange((isConcerned) => flips.look(isConcerned)));
  owned.use(control.onProxy(({ namespace }) => flips.look((each) => each === namespace)));
  const counted = connections?.intake.onCounted((proxies) =>
    flips.look((namespace) => proxies.some(({ proxy }) => proxy.includes(`/ns/${namespace}/`))),
  );
  if (counted !== undefined) owned.use(counted);
  const prune = (): void => {
    try {
      // A flip asks who was waived since it began.
      waivers.prune(Math.min(...flips.underWay.map(({ startedMs }) => startedMs)));
    } catch (error) {
      const fields = { event: "caller-waivers-prune-failed", ...failureFields(error) };
      log.error(fields, "ended waivers of callers are still kept");
    }
  };
  const pruning = setInterval(prune, pruneMs).unref();
  owned.defer(() => clearInterval(pruning));
  flips.look();
  debts.look();
  const settings = (): typeof live.config => live.config;
  const lookBackMs = (): number => settings().lookBackSeconds * 1_000;
  const service: FlipServiceDependencies = {
    flips,
    judge: new TargetJudge({ ...judging, flips, control }),
    edits,
    configuration,
    lookBacks: new LookBacks({ settings, record, nowMs }),
    waivers,
    log,
    nowMs,
  };
  const ofPorts = { questions, flips, debts, configuration, lookBackMs, nowMs };
  return { ...service, columns: () => portColumns(ofPorts), clusterEdits };
}
