/** `root rotate`: commands as their gates open. Nothing is kept here but the goal; the server has the rotation. */

import { AdminClientError } from "../../edge/rpc/admin-client.ts";
import type { RootCommand, RootSource } from "../../edge/rpc/root-command.ts";
import { ExitCode, type Context } from "./command.ts";
import { sendCommand, refusedText, type RefusedValue, type RootSending } from "./root-change.ts";
import { pollRootStatus, untilNextPoll } from "./root-follow.ts";
import { isGate } from "./root-judgement.ts";
import type { Progress } from "./root-progress.ts";
import {
  decideRotateStep,
  goalAfter,
  type RotateCommand,
  type RotateGoal,
  type RotateStep,
} from "./root-rotate-step.ts";
import { printable } from "./text.ts";

export interface RotateOptions {
  readonly source: RootSource;
  readonly sending: RootSending;
  readonly progress: Progress;
  /** Whether it is time to give up waiting. */
  readonly isTimeOver: () => boolean;
}

export const resumeHint = "portcullis root rotate --resume";

/** Goes on from where the server is, to the end. @throws AdminClientError, CommandRefusedError */
export async function rotate(context: Context, options: RotateOptions): Promise<ExitCode> {
  const { sending, progress, isTimeOver } = options;
  let goal: RotateGoal | undefined;
  for (;;) {
    if (context.signal.aborted) return interrupted(context, progress);
    const status = await pollRootStatus(sending.address);
    if (status === undefined) {
      progress.away();
    } else {
      goal = goalAfter(goal, status);
      const step = decideRotateStep(status, goal);
      if (step.kind === "wait") progress.wait(step.wait, status);
      else if (step.kind !== "command") return over(context, progress, step);
      else {
        const refused = await carryOut(step.command, options);
        if (refused === undefined) continue;
        if (!isGate(refused.code)) return refuse(context, progress, refused);
      }
    }
    if (isTimeOver()) return timedOut(context, progress);
    await untilNextPoll(context);
  }
}

/** @returns why not; a server that went away meanwhile is asked again, since it may have done it */
async function carryOut(
  name: RotateCommand,
  { source, sending, progress }: RotateOptions,
): Promise<RefusedValue | undefined> {
  const command: RootCommand = name === "prepare" ? { kind: name, source } : { kind: name };
  try {
    const value = await sendCommand(command, sending);
    if ("refused" in value) return value.refused;
    progress.note(name, `${name}: ${value.done.lines.join("; ")}`, { epoch: value.done.epoch });
  } catch (error) {
    if (!(error instanceof AdminClientError)) throw error;
    progress.away();
  }
  return undefined;
}

function over(
  context: Context,
  progress: Progress,
  step: Exclude<RotateStep, { kind: "command" | "wait" }>,
): ExitCode {
  if (step.kind === "done") {
    progress.note("done", `done: authority ${step.authorityId} signs, and nobody trusts another`);
    return ExitCode.ok;
  }
  progress.end();
  if (step.kind === "stopped") {
    const { why, next } = step;
    context.stderr.write(`refused: ${printable(why)} (rotation-changed)\nhint: ${next}\n`);
    return ExitCode.refused;
  }
  const { reason, detail, hint } = step.step;
  context.stderr.write(`refused: ${printable(detail)} (${printable(reason)})\n`);
  if (hint !== "") context.stderr.write(`hint: ${printable(hint)}\n`);
  context.stderr.write(`hint: then go on with ${resumeHint}\n`);
  return ExitCode.refused;
}

function refuse(context: Context, progress: Progress, refused: RefusedValue): ExitCode {
  progress.end();
  context.stderr.write(refusedText(refused, context));
  return ExitCode.refused;
}

/** An error to the frame, which makes the signal's own exit code of it. */
function interrupted({ stderr }: Context, progress: Progress): ExitCode {
  progress.end();
  stderr.write(`interrupted: the rotation stays where it is\nnext: ${resumeHint}\n`);
  return ExitCode.error;
}

function timedOut({ stderr }: Context, progress: Progress): ExitCode {
  progress.end();
  stderr.write(
    "warning: the time is over, and the rotation stays where it is\n" +
      `next: portcullis root status; ${resumeHint}\n`,
  );
  return ExitCode.warning;
}
