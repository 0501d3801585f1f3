/** What a flip would do, before it is begun: the object line by line, the verdict, the stages, and what takes it back. */

import { revertWindowSeconds } from "../../core/flip/flip.ts";
import { defaultStages, formatStage, parseStages } from "../../core/flip/stages.ts";
import type { StartFlipResponse } from "../../gen/portcullis/admin/v1/admin_pb.ts";
import type { FlipRequest } from "../../edge/rpc/flip-requests.ts";
import { formatDuration } from "./format.ts";
import { changeText, changeValue, objectChange, type ObjectChange } from "./mtls-change.ts";
import { flipValue, type FlipValue } from "./mtls-flip-value.ts";
import { answerEmpty, refusalValue, type MtlsRefusal } from "./mtls-refused.ts";
import type { Asked } from "./mtls-asked.ts";
import { verdictText, type VerdictView } from "./mtls-verdict-text.ts";
import { verdictValue, type VerdictValue } from "./mtls-verdict-value.ts";
import type { JsonValue } from "./output.ts";
import type { ServerTarget } from "./server-target.ts";
import { printable } from "./text.ts";

/** A server's answer to an order to flip, or to say what that would do. */
export interface FlipAnswer {
  readonly flip: FlipValue | undefined;
  readonly refused: MtlsRefusal | undefined;
  readonly change: ObjectChange | undefined;
  readonly verdict: VerdictValue | null;
}

export function flipAnswer(
  { result, verdict: found, ...json }: StartFlipResponse,
  server: ServerTarget,
  asked: Asked,
): FlipAnswer {
  const refused = result.case === "refused" ? refusalValue(result.value, server, asked) : undefined;
  const verdict = found === undefined ? (refused?.verdict ?? null) : verdictValue(found);
  return {
    flip: result.case === "flip" ? flipValue(result.value) : undefined,
    refused: result.case === undefined ? answerEmpty(server) : refused,
    change: objectChange(json),
    verdict,
  };
}

export function previewText(
  { change, verdict, flip }: FlipAnswer,
  request: FlipRequest,
  view: VerdictView,
): string {
  const blocks = [
    change === undefined
      ? []
      : [changeText(change, request.awaitsObject ? "to-commit" : "would-be")],
    verdict === null ? [] : [verdictText(verdict, view)],
    [stagesText(flip, request)],
  ].flat();
  return blocks.join("\n");
}

function stagesText(flip: FlipValue | undefined, request: FlipRequest): string {
  const { revertOnRefused, awaitsObject } = request;
  // Where the server has refused it but for the waivers, it has not said these.
  const revertWindow = flip?.revertWindow || (request.revertWindow ?? revertWindowSeconds);
  const stages = flip?.stages ?? parseStages(request.stages || defaultStages).map(formatStage);
  const workloads = revertOnRefused === 1 ? "1 workload is" : `${revertOnRefused} workloads are`;
  const lines = [
    `stages: ${stages.join(", ")}`,
    `revert window: ${formatDuration(revertWindow)}`,
    `taken back when a call of the mesh fails${revertOnRefused === 0 ? "" : `, or ${workloads} refused by name`}`,
    ...(awaitsObject ? ["commit the object that is printed: the flip waits for it to arrive"] : []),
  ];
  return lines.map((line) => `${printable(line)}\n`).join("");
}

export function previewFields({ change, verdict, flip }: FlipAnswer): Record<string, JsonValue> {
  return {
    change: change === undefined ? null : changeValue(change),
    verdict,
    stages: flip?.stages ?? [],
  };
}
