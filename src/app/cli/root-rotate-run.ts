/** A rotation from a new root, or from where it was left, to its end; for the verbs that show it. */

import type { RootSource, SentSource } from "../../edge/rpc/root-command.ts";
import type { ConnectionValues } from "./admin-address.ts";
import type { ExitCode, Context } from "./command.ts";
import { Progress } from "./live-progress.ts";
import { sendCommand } from "./root-change.ts";
import { nextOf } from "./next-commands.ts";
import { operatorName } from "./operator.ts";
import { refusal, type RefusedValue } from "./root-change-value.ts";
import { isEndPending, isRotating, shapeOf, type RootShape } from "./root-judgement.ts";
import { reachRoots } from "./root-reach.ts";
import { rotateEnds } from "./root-rotate-end.ts";
import { noteDone, rotate } from "./root-rotate.ts";
import type { RootStatusValue } from "./root-value.ts";
import { waive } from "./root-waive.ts";
import { textTarget, type ServerTarget } from "./server-target.ts";
import type { Wanted } from "./waiver-flags.ts";

export const timeoutFlag = {
  timeout: { type: "duration", valueName: "DURATION", help: "wait no longer than that" },
} as const;

export const changesFlag = {
  output: {
    type: "string",
    short: "o",
    valueName: "FORMAT",
    help: "json is one object a line, for each change",
    choices: ["table", "json"],
    default: "table",
  },
} as const;

interface RotationFlags extends ConnectionValues {
  readonly operator: string | undefined;
  /** In seconds. */
  readonly timeout: number | undefined;
  readonly output: "table" | "json";
}

interface RotationRun {
  readonly source: RootSource | SentSource;
  readonly isResumed: boolean;
  /** Of one that is not resumed: who is passed over once the root is prepared, since nobody has it before. */
  readonly wanted: Wanted | undefined;
}

/** A process that was killed leaves its address, until the next one has the directory. */
const restartMs = 10_000;

/** @throws EndpointsError, PrivateFileError, AdminClientError, CommandRefusedError, UsageError */
export async function runRotation(
  context: Context,
  flags: RotationFlags,
  { source, isResumed, wanted }: RotationRun,
): Promise<ExitCode> {
  const operator = operatorName(flags.operator, context.env);
  const endMs = performance.now() + (flags.timeout ?? Number.POSITIVE_INFINITY) * 1_000;
  const isTimeOver = (): boolean => performance.now() >= endMs;
  // Who says how long is waited for the server as long, too.
  const restMs = flags.timeout === undefined ? restartMs : Number.POSITIVE_INFINITY;
  const progress = new Progress(context, flags.output);
  const patience = { awayMs: isResumed ? restMs : 0, isTimeOver };
  const reached = await reachRoots(context, flags, patience);
  if (reached === undefined) {
    return rotateEnds(context, { address: "", ...textTarget(flags) }, progress).timedOut([]);
  }
  const { target, status } = reached;
  const ends = rotateEnds(context, target, progress);
  const refused = outOfTurn(status, isResumed, target);
  if (refused !== undefined) return await ends.refuse(refused);
  const sending = { target, operator, dryRun: false };
  const { refuse } = ends;
  if (wanted !== undefined && !isResumed) {
    const value = await sendCommand({ kind: "prepare", source }, sending);
    if ("refused" in value) return await refuse(value.refused);
    noteDone(progress, "prepare", value.done);
  }
  const options = { gate: "rotate", wanted, sending, refuse, output: flags.output } as const;
  const waived = await waive(context, options);
  if (waived.kind === "ended") return waived.code;
  const hasWaived = wanted !== undefined;
  return await rotate(context, { source, sending, progress, ends, hasWaived, isTimeOver });
}

/** What goes on was begun for a reason that is not known here; and what is over need not go on. */
function outOfTurn(
  status: RootStatusValue,
  isResumed: boolean,
  target: ServerTarget,
): RefusedValue | undefined {
  const shape = shapeOf(status);
  if (isRotating(shape) === isResumed) return undefined;
  if (isResumed) {
    const message = "expected a rotation that has begun, got none";
    return refusal("rotation-missing", message, nextOf(target, "portcullis root rotate"));
  }
  if (isEndPending(shape)) return endPending(shape, target);
  const next = "see where it is: portcullis root status; go on: portcullis root rotate --resume";
  const message = "expected no rotation, got one that is going on already";
  return refusal("rotation-in-progress", message, nextOf(target, next));
}

function endPending({ retired }: RootShape, target: ServerTarget): RefusedValue {
  const ids = retired.map(({ id }) => id).join(", ");
  const message = `expected the last rotation to be over, got authority ${ids} that is retired, and may still be trusted`;
  const next = [
    "who has not confirmed: portcullis root status",
    "wait for the end: portcullis root rotate --resume",
    "or begin the next one at once: portcullis root prepare",
  ];
  return refusal("rotation-in-progress", message, nextOf(target, next.join("; ")));
}
