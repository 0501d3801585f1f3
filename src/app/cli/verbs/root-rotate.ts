/** `portcullis root rotate` */

import { newKeyTypes } from "../../../edge/ca/key-file.ts";
import { connectionFlags } from "../admin-address.ts";
import { defineCommand, ExitCode, type Command, type TextSink } from "../command.ts";
import { claimFlags, operatorName } from "../operator.ts";
import { isRotating, shapeOf } from "../root-judgement.ts";
import { Progress } from "../root-progress.ts";
import { reachRoots } from "../root-reach.ts";
import { rotate } from "../root-rotate.ts";
import { rootSource, type SourceFlags } from "../root-source.ts";
import { pasteable, type RootTarget } from "../root-target.ts";
import type { RootStatusValue } from "../root-value.ts";
import { waive } from "../root-waive.ts";
import { waiverFlags } from "../root-waiver-flags.ts";
import { UsageError } from "../usage-error.ts";

export const rootRotate: Command = defineCommand({
  description:
    "Prepares a root, activates it when every verifier has confirmed it, retires the old one when " +
    "nothing hangs on it any more, and ends when nobody trusts it. It shows what it waits for, and " +
    "whom.\n\n" +
    "Ctrl-C leaves the rotation where it is, which is safe at any step; --resume goes on. With " +
    "--timeout it exits 3 when the rotation still waits. A refusal exits 4.",
  flags: {
    resume: { type: "boolean", help: "go on with a rotation that has begun" },
    "key-type": {
      type: "string",
      valueName: "TYPE",
      help: "type of the new key",
      choices: newKeyTypes,
      notes: ["default as configured"],
    },
    "from-dir": {
      type: "string",
      valueName: "DIR",
      help: "a CA of your own, on the server's machine",
    },
    timeout: { type: "duration", valueName: "DURATION", help: "wait no longer than that" },
    ...waiverFlags,
    operator: claimFlags.operator,
    ...connectionFlags,
    output: {
      type: "string",
      short: "o",
      valueName: "FORMAT",
      help: "json is one object a line, for each change",
      choices: ["table", "json"],
      default: "table",
    },
  },
  examples: [
    { what: "From the first step to the last", command: "portcullis root rotate" },
    {
      what: "After Ctrl-C, or another operator's step",
      command: "portcullis root rotate --resume",
    },
  ],
  async run(context, flags) {
    const source = rootSource("root rotate", flags);
    if (flags.resume) assertNoSource(flags);
    else if ((flags.waive ?? []).length > 0) throw waivedTooEarly();
    const operator = operatorName(flags.operator, context.env);
    const endMs = performance.now() + (flags.timeout ?? Number.POSITIVE_INFINITY) * 1_000;
    const isTimeOver = (): boolean => performance.now() >= endMs;
    const patience = { awayMs: flags.resume ? restartMs : 0, isTimeOver };
    const { target, status } = await reachRoots(context, flags, patience);
    if (!mayBegin(status, flags.resume, target, context.stderr)) return ExitCode.refused;
    const sending = { target, operator, dryRun: false };
    const waived = await waive(context, "", flags, sending);
    if (waived !== ExitCode.ok) return waived;
    const progress = new Progress(context, flags.output);
    return await rotate(context, {
      source,
      sending,
      progress,
      hasWaived: (flags.waive ?? []).length > 0,
      isTimeOver,
    });
  },
});

/** A process that was killed leaves its address, until the next one has the directory. */
const restartMs = 10_000;

function assertNoSource(flags: SourceFlags): void {
  const named = (["key-type", "from-dir"] as const).find((name) => flags[name] !== undefined);
  if (named === undefined) return;
  const message = `--${named}: expected none with --resume: the new root is there already`;
  throw new UsageError("usage-invalid-value", message, { hint: "portcullis help root rotate" });
}

/** A waiver is for the roots of its time, and those of the rotation are not there yet. */
function waivedTooEarly(): UsageError {
  const message =
    "--waive: expected --resume with it: nobody has the new root before it is prepared";
  const hint = "portcullis root prepare, then portcullis root rotate --resume --waive SELECTOR ...";
  return new UsageError("usage-invalid-value", message, { hint });
}

/** What goes on was begun for a reason that is not known here; and what is over need not go on. */
function mayBegin(
  status: RootStatusValue,
  isResumed: boolean,
  target: RootTarget,
  stderr: TextSink,
): boolean {
  if (isRotating(shapeOf(status)) === isResumed) return true;
  const refusal = isResumed
    ? "expected a rotation that has begun, got none (rotation-missing)\nhint: portcullis root rotate"
    : "a rotation is going on already (rotation-in-progress)\n" +
      "hint: see where it is with portcullis root status; go on with portcullis root rotate --resume";
  stderr.write(`refused: ${pasteable(target, refusal)}\n`);
  return false;
}
