/** What an answer about a target says besides its verdict, as `portcullis.admin.v1` has it. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { OtherDecision } from "../../../core/flip/other-decisions.ts";
import { refWords } from "../../../core/resources/resource.ts";
import { nameMessage } from "../../../edge/rpc/resource-messages.ts";
import type {
  FlipUnderWaySchema,
  OtherDecisionSchema,
} from "../../../gen/portcullis/admin/v1/admin_pb.ts";
import type { FlipUnderWay } from "./target-surroundings.ts";

/** Where it stands. @param of as of `flipUnderWayMessage` */
export function flipUnderWayWords(
  { flip: { id, target, state, edit }, strict, workloads }: FlipUnderWay,
  of: string,
): string {
  const which = `flip ${id}${target.text === of ? "" : ` of ${target.text}`}`;
  const waits = edit.isOurs ? "" : `, which waits for ${refWords(edit.ref)}`;
  if (state.kind === "editing") return `${which} is under way${waits}: nothing is strict yet`;
  const counts = `${strict} of ${workloads} workload${workloads === 1 ? "" : "s"} refuse plaintext`;
  if (state.kind !== "reverting") return `${which} is under way: ${counts}`;
  if (!edit.isOurs) return `taken back by ${which}${waits} to say PERMISSIVE itself`;
  return `${which} is being taken back: ${counts} still`;
}

/** Of a decision: workloads. */
const namedMax = 20;

export function otherMessage({
  target,
  object,
  mode,
  workloads,
}: OtherDecision): MessageInitShape<typeof OtherDecisionSchema> {
  const count = workloads.length;
  return {
    target,
    object: nameMessage(object),
    mode,
    workloads: workloads.slice(0, namedMax),
    count,
  };
}

/** @param of the target that is asked about, as it is written */
export function flipUnderWayMessage(
  underWay: FlipUnderWay,
  of: string,
): MessageInitShape<typeof FlipUnderWaySchema> {
  const { strict, workloads } = underWay;
  const { id, target, state, edit } = underWay.flip;
  return {
    id: BigInt(id),
    target: target.text,
    state: state.kind,
    strict,
    workloads,
    object: nameMessage(edit.ref),
    awaitsObject: !edit.isOurs,
    detail: flipUnderWayWords(underWay, of),
  };
}
