/** Flips as `portcullis.admin.v1` has them. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { endMs } from "../../../core/flip/flip-causes.ts";
import { causeNames, type FlipState } from "../../../core/flip/flip.ts";
import type { OtherDecision } from "../../../core/flip/other-decisions.ts";
import { formatStage } from "../../../core/flip/stages.ts";
import { nameMessage } from "../../../edge/rpc/resource-messages.ts";
import type { FlipStatusSchema } from "../../../gen/portcullis/admin/v1/admin_pb.ts";
import { absenceMessage } from "../policy/proxy-status.ts";
import { notBackOf, type FlipReport } from "./flip-report.ts";
import { otherMessage } from "./surroundings-messages.ts";
import { callerMessage } from "./verdict-messages.ts";
import { workloadStates } from "./workload-states.ts";

/** Of those that were refused: the last ones. */
const callersMax = 200;
const waitsMax = 1_000;

export function flipMessage(
  report: FlipReport,
  nowMs: number,
  others: readonly OtherDecision[] = [],
): MessageInitShape<typeof FlipStatusSchema> {
  const { flip, workloads, waits, callers } = report;
  const { id, target, state, operator, startedMs, stages, opened, edit } = flip;
  const windowMs = endMs(flip);
  const stateOf = workloadStates(flip);
  return {
    id: BigInt(id),
    target: target.text,
    state: state.kind,
    operator,
    startedAt: timestampFromMs(startedMs),
    ...("endedMs" in state && { endedAt: timestampFromMs(state.endedMs) }),
    stages: stages.map(formatStage),
    stage: opened.at(-1)?.index ?? 0,
    stagesOpened: opened.length,
    revertWindow: BigInt(Math.round(flip.revertWindowMs / 1_000)),
    workloads: workloads.map((each) => {
      const { name, draining, absence = "unheard", absentUntilMs, plaintext = "" } = each;
      const state = stateOf(each);
      const why = absenceMessage(state === "silent" ? { absence, absentUntilMs } : undefined);
      return { name, state, draining, ...why, plaintext, waived: each.isWaived };
    }),
    waits: waits.slice(0, waitsMax).map((each) => ({ ...each })),
    refused: callers.slice(0, callersMax).map(callerMessage),
    ...causeOf(state),
    ...(Number.isFinite(windowMs) && { windowEndsAt: timestampFromMs(windowMs) }),
    object: nameMessage(edit.ref),
    awaitsObject: !edit.isOurs,
    now: timestampFromMs(nowMs),
    unseen: state.kind === "done" ? [...state.unseen] : [],
    notBack: [...notBackOf(report)],
    createsObject: edit.beforeJson === undefined,
    decidedByOthers: others.map(otherMessage),
  };
}

function causeOf(state: FlipState): { readonly cause?: string; readonly causeNames?: string[] } {
  if (state.kind === "superseded") return { cause: state.why };
  if (state.kind !== "reverting" && state.kind !== "reverted") return {};
  const { cause } = state;
  return { cause: cause.kind, causeNames: [...causeNames(cause)] };
}
