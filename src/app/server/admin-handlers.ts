/** The handlers of `portcullis.admin.v1`, whichever door a call comes by. */

import type { UntypedServiceImplementation } from "@grpc/grpc-js";
import { randomBytes } from "node:crypto";
import type { ServerConfig } from "../../edge/config/server-config.ts";
import { statusHandler } from "./admin-service.ts";
import { backupHandler } from "./backup-service.ts";
import { bundleHandler } from "./bundle-service.ts";
import { acceptClockHandler } from "./clock-service.ts";
import { denyHandlers } from "./deny-service.ts";
import { diagnosisHandler } from "./doctor/diagnosis-service.ts";
import { callerWaiverHandlers } from "./flips/caller-waiver-service.ts";
import { flipHandlers } from "./flips/flip-service.ts";
import { mtlsHandlers } from "./flips/mtls-service.ts";
import { createJoinTokenHandler } from "./join-token-service.ts";
import { pruneLogHandler } from "./log/log-prune-service.ts";
import type { Parts } from "./parts.ts";
import type { Policy } from "./policy/open-policy.ts";
import { policyStatusHandler } from "./policy/policy-status-service.ts";
import { readManifest } from "./policy/resources/read-manifest.ts";
import { resourceHandlers } from "./policy/resources/resource-service.ts";
import { rootHandlers } from "./rotation/root-service.ts";

export interface AdminSocketOptions {
  readonly config: ServerConfig;
  readonly policy: Policy;
  readonly version: string;
  readonly startedMs: number;
  readonly nowMs: () => number;
}

/** An operator's change of the configuration is made as one, and so is one message. */
export const ADMIN_MESSAGE_MAX: number = 4 * 1_048_576;

/** One for all doors: some of them take one order at a time. */
const tables = new WeakMap<Parts, UntypedServiceImplementation>();

/** The same for each door of a server. @param options of the first door that opens */
export function adminHandlers(
  parts: Parts,
  options: AdminSocketOptions,
): UntypedServiceImplementation {
  const known = tables.get(parts);
  if (known !== undefined) return known;
  const table = handlersOf(parts, options);
  tables.set(parts, table);
  return table;
}

function handlersOf(
  parts: Parts,
  { config, policy, version, startedMs, nowMs }: AdminSocketOptions,
): UntypedServiceImplementation {
  const { log, store, live, trust, roll, events, serving, evidence, reloads } = parts;
  const { transparency, keeper, denials } = parts;
  const filed = () => parts.rotation.files.authority;
  const logAlarms = (): number => {
    // What was proven before this process began is no less true.
    const before = (store.facts.recall("log-alarm") ?? "") === "" ? 0 : 1;
    return Math.max(parts.witnesses.alarms.kept.length, before);
  };
  return {
    getStatus: statusHandler({
      version,
      startedMs,
      kube: parts.kube,
      kubeKept: () => ({
        bundleMaps: parts.bundleMaps.state(),
        trustSecret: parts.trustSecret?.report(),
        guard: parts.guard.report(),
      }),
      trust: () => trust.current,
      store,
      filed,
      config: () => live.config,
      roll,
      totals: () => events.totals,
      servingNotAfterMs: () => serving.notAfterMs,
      agentsConnected: () => evidence.agents.count(),
      logEntries: () => transparency.reader.head().size,
      logAlarms,
      problems: parts.problems,
      reloadRefusals: () => [...reloads.refusals.all, ...parts.rotation.auto.waiting],
      nowMs,
    }),
    getDiagnosis: diagnosisHandler({
      parts,
      version,
      logAlarms,
      evidenceSinceMs: () => policy.connections?.evidence.createdMs,
      nowMs,
    }),
    getBundle: bundleHandler({
      bundle: () => trust.current.bundle,
      refreshHintSeconds: () => live.config.bundleRefreshHintSeconds,
    }),
    ...denyHandlers({
      denials,
      trustDomain: config.trustDomain,
      certificates: transparency.reader.certificates,
      log,
    }),
    acceptClock: acceptClockHandler({
      accept: (operator, reason) => keeper.acceptClock(operator, reason),
      log,
      nowMs,
    }),
    pruneLog: pruneLogHandler({
      writer: transparency.writer,
      log,
      assertGoodMs: () => keeper.time.assertGood(),
      provenMs: () => keeper.proven.nowMs(),
    }),
    backup: backupHandler({
      dataDir: config.dataDir,
      copyStore: (path) => store.copyTo(path),
      denySequence: () => denials.list.sequence,
      version,
      nowMs,
      record: (event) => keeper.event(event),
      log,
    }),
    ...rootHandlers({
      ...parts.rotation,
      trust: () => trust.current,
      automatic: () => parts.rotation.auto.automatic,
      hold: () => parts.trustSecret?.hold,
      refusedFiles: () => reloads.refusals.all.filter(({ part }) => part === "ca"),
      store,
      filed,
      config: () => live.config,
      log,
      nowMs,
    }),
    ...resourceHandlers({
      resources: policy.resources,
      trustDomain: config.trustDomain,
      holds: () => policy.flips.flips.holds,
      read: readManifest,
      log,
    }),
    getPolicyStatus: policyStatusHandler(
      policy.control,
      () => policy.resources.set.sequence,
      policy.flips.columns,
    ),
    ...flipHandlers(policy.flips),
    ...mtlsHandlers(policy.flips),
    ...callerWaiverHandlers(policy.flips),
    createJoinToken: createJoinTokenHandler({
      joinTokens: store.joinTokens,
      trustDomain: config.trustDomain,
      record: (event) => keeper.event(event),
      log,
      randomBytes,
      nowMs,
    }),
  };
}
