/** `root rotate`: commands as their gates open. Nothing is kept here but the goal; the server has the rotation. */

import { AdminClientError } from "../../edge/rpc/admin-client.ts";
import type { RootCommand, RootSource } from "../../edge/rpc/root-command.ts";
import { ExitCode, type Context } from "./command.ts";
import { sendCommand, refusedText, type RootSending } from "./root-change.ts";
import type { RefusedValue } from "./root-change-value.ts";
import { pollRootStatus, untilNextPoll } from "./root-follow.ts";
import { waiverLine } from "./root-classes.ts";
import type { LaggardValue } from "./laggard-value.ts";
import { isGate } from "./root-judgement.ts";
import type { Progress } from "./root-progress.ts";
import {
  decideRotateStep,
  goalAfter,
  type RotateCommand,
  type RotateGoal,
  type RotateStep,
} from "./root-rotate-step.ts";
import { pasteable, type RootTarget } from "./root-target.ts";
import { hintsOf, wordsOf } from "./root-words.ts";
import { printable } from "./text.ts";

export interface RotateOptions {
  readonly source: RootSource;
  readonly sending: RootSending;
  readonly progress: Progress;
  /** Whether somebody is passed over, of whom nothing is known in the end. */
  readonly hasWaived: boolean;
  /** Whether it is time to give up waiting. */
  readonly isTimeOver: () => boolean;
}

function resumption(target: RootTarget): string {
  return pasteable(target, "portcullis root rotate --resume");
}

/** Goes on from where the server is, to the end. @throws AdminClientError, CommandRefusedError */
export async function rotate(context: Context, options: RotateOptions): Promise<ExitCode> {
  const { sending, progress, isTimeOver } = options;
  let goal: RotateGoal | undefined;
  let laggards: readonly LaggardValue[] = [];
  let { hasWaived } = options;
  for (;;) {
    if (context.signal.aborted) return interrupted(context, options, laggards);
    const status = await pollRootStatus(sending.target);
    if (status === undefined) {
      progress.away();
    } else {
      hasWaived ||= status.waivers.length > 0;
      goal = goalAfter(goal, status);
      const step = decideRotateStep(status, goal);
      laggards = step.kind === "wait" ? step.wait.laggards : [];
      if (step.kind === "wait") progress.wait(step.wait, status);
      else if (step.kind !== "command") return over(context, { ...options, hasWaived }, step);
      else {
        const refused = await carryOut(step.command, options);
        if (refused === undefined) continue;
        if (!isGate(refused.code)) return await refuse(context, options, refused);
      }
    }
    if (isTimeOver()) return timedOut(context, options, laggards);
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
  { progress, sending: { target }, hasWaived }: RotateOptions,
  step: Exclude<RotateStep, { kind: "command" | "wait" }>,
): ExitCode {
  if (step.kind === "done") {
    const but = hasWaived ? ", but for those who were waived" : "";
    progress.note(
      "done",
      `done: authority ${step.authorityId} signs, and nobody trusts another${but}`,
    );
    return ExitCode.ok;
  }
  progress.end();
  if (step.kind === "stopped") {
    const { why, next } = step;
    context.stderr.write(
      `refused: ${printable(why)} (rotation-changed)\nhint: ${pasteable(target, next)}\n`,
    );
    return ExitCode.refused;
  }
  const { reason, detail, hint } = step.step;
  const nowMs = context.nowMs();
  context.stderr.write(`refused: ${wordsOf(detail, nowMs)} (${printable(reason)})\n`);
  for (const each of hintsOf(hint)) context.stderr.write(`hint: ${wordsOf(each, nowMs)}\n`);
  context.stderr.write(`hint: then go on with ${resumption(target)}\n`);
  return ExitCode.refused;
}

async function refuse(
  context: Context,
  { progress, sending: { target } }: RotateOptions,
  refused: RefusedValue,
): Promise<ExitCode> {
  progress.end();
  context.stderr.write(await refusedText(refused, target, context));
  return ExitCode.refused;
}

/** An error to the frame, which makes the signal's own exit code of it. */
function interrupted(
  { stderr }: Context,
  { progress, sending: { target } }: RotateOptions,
  laggards: readonly LaggardValue[],
): ExitCode {
  progress.end();
  stderr.write(`interrupted: the rotation stays where it is\n${nextLines(target, laggards)}`);
  return ExitCode.error;
}

function timedOut(
  { stderr }: Context,
  { progress, sending: { target } }: RotateOptions,
  laggards: readonly LaggardValue[],
): ExitCode {
  progress.end();
  stderr.write(
    "warning: the time is over, and the rotation stays where it is\n" +
      `next: ${pasteable(target, "portcullis root status")}\n${nextLines(target, laggards)}`,
  );
  return ExitCode.warning;
}

function nextLines(target: RootTarget, laggards: readonly LaggardValue[]): string {
  return `${waiverLine(target, laggards)}next: ${resumption(target)}\n`;
}
