/** `portcullis root rotate` */

import { connectionFlags } from "../admin-address.ts";
import { defineCommand, type Command } from "../command.ts";
import { Progress } from "../live-progress.ts";
import { claimFlags, operatorName } from "../operator.ts";
import { refusal, type RefusedValue } from "../root-change-value.ts";
import { isRotating, shapeOf } from "../root-judgement.ts";
import { nextOf } from "../next-commands.ts";
import { reachRoots } from "../root-reach.ts";
import { rotateEnds } from "../root-rotate-end.ts";
import { rotate } from "../root-rotate.ts";
import { keyTypeFlag, rootSource, type SourceFlags } from "../root-source.ts";
import { commandOf, pasteable, textTarget, type ServerTarget } from "../server-target.ts";
import type { RootStatusValue } from "../root-value.ts";
import { waive } from "../root-waive.ts";
import { parseWaiver, waiverFlags, waiverWords, type Wanted } from "../waiver-flags.ts";
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
    "key-type": keyTypeFlag,
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
    const wanted = parseWaiver("root rotate", flags);
    if (flags.resume) assertNoSource(flags);
    else if (wanted !== undefined) throw waivedTooEarly(textTarget(flags), wanted);
    const operator = operatorName(flags.operator, context.env);
    const endMs = performance.now() + (flags.timeout ?? Number.POSITIVE_INFINITY) * 1_000;
    const isTimeOver = (): boolean => performance.now() >= endMs;
    // Who says how long is waited for the server as long, too.
    const restMs = flags.timeout === undefined ? restartMs : Number.POSITIVE_INFINITY;
    const progress = new Progress(context, flags.output);
    const patience = { awayMs: flags.resume ? restMs : 0, isTimeOver };
    const reached = await reachRoots(context, flags, patience);
    if (reached === undefined) {
      return rotateEnds(context, { address: "", ...textTarget(flags) }, progress).timedOut([]);
    }
    const { target, status } = reached;
    const ends = rotateEnds(context, target, progress);
    const refused = outOfTurn(status, flags.resume, target);
    if (refused !== undefined) return await ends.refuse(refused);
    const sending = { target, operator, dryRun: false };
    const { refuse } = ends;
    const options = { gate: "rotate", wanted, sending, refuse, output: flags.output } as const;
    const waived = await waive(context, options);
    if (waived.kind === "ended") return waived.code;
    const hasWaived = wanted !== undefined;
    return await rotate(context, { source, sending, progress, ends, hasWaived, isTimeOver });
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
function waivedTooEarly(target: Pick<ServerTarget, "flagText">, wanted: Wanted): UsageError {
  const message =
    "--waive: expected --resume with it: nobody has the new root before it is prepared";
  const first = pasteable(target, "portcullis root prepare");
  const then = commandOf(target, "root rotate", ["--resume", ...waiverWords(wanted)]);
  const hint = `first: ${first}\nthen: ${then}`;
  return new UsageError("usage-invalid-value", message, { hint });
}

/** What goes on was begun for a reason that is not known here; and what is over need not go on. */
function outOfTurn(
  status: RootStatusValue,
  isResumed: boolean,
  target: ServerTarget,
): RefusedValue | undefined {
  if (isRotating(shapeOf(status)) === isResumed) return undefined;
  if (isResumed) {
    const message = "expected a rotation that has begun, got none";
    return refusal("rotation-missing", message, nextOf(target, "portcullis root rotate"));
  }
  const next = "see where it is: portcullis root status; go on: portcullis root rotate --resume";
  const message = "expected no rotation, got one that is going on already";
  return refusal("rotation-in-progress", message, nextOf(target, next));
}
