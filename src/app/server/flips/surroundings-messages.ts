/** What an answer about a target says besides its verdict, as `portcullis.admin.v1` has it. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { OtherDecision } from "../../../core/flip/other-decisions.ts";
import { refWords } from "../../../core/resources/resource.ts";
import { nameMessage } from "../../../edge/rpc/resource-messages.ts";
import type {
  FlipUnderWaySchema,
  OtherDecisionSchema,
} from "../../../gen/portcullis/admin/v1/admin_pb.ts";
import type { FlipUnderWay } from "./surroundings.ts";

/** Where it stands: as a note, and as what is waited for. @param of as of `flipUnderWayMessage` */
export function flipUnderWayWords(
  { flip: { id, target, state, edit }, strict, workloads }: FlipUnderWay,
  of: string,
): string {
  const which = `flip ${id}${target.text === of ? "" : ` of ${target.text}`}`;
  const counts = `${strict} of ${workloads} workload${workloads === 1 ? "" : "s"} refuse plaintext`;
  const object = refWords(edit.ref);
  if (state.kind === "reverting") {
    if (edit.isOurs) return `${which} on the way back: ${counts} still`;
    const until = edit.beforeJson === undefined ? "be gone again" : "say PERMISSIVE itself";
    return `${which} taken back, which waits for ${object} to ${until}`;
  }
  if (state.kind !== "editing") return `${which} under way: ${counts}`;
  const waits = edit.isOurs ? "" : `, which waits for ${object} to say STRICT`;
  return `${which} under way${waits}: nothing is strict yet`;
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
