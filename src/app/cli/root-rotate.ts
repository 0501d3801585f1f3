/** `root rotate`: commands as their gates open. Nothing is kept here but the goal; the server has the rotation. */

import { AdminClientError } from "../../edge/rpc/admin-error.ts";
import type { RootCommand, RootSource, SentSource } from "../../edge/rpc/root-command.ts";
import { ExitCode, type Context } from "./command.ts";
import { refusal, withNext, type DoneValue, type RefusedValue } from "./root-change-value.ts";
import { sendCommand, type RootSending } from "./root-change.ts";
import { untilNextPoll } from "./poll.ts";
import { pollRootStatus } from "./root-follow.ts";
import type { LaggardValue } from "./laggard-value.ts";
import type { Progress } from "./live-progress.ts";
import { isGate } from "./root-judgement.ts";
import { nextOf, type NextValue } from "./next-commands.ts";
import { rotationAway, rotationWaiting } from "./root-progress-text.ts";
import type { RotateEnds } from "./root-rotate-end.ts";
import {
  decideRotateStep,
  goalAfter,
  type RotateCommand,
  type RotateGoal,
  type RotateStep,
} from "./root-rotate-step.ts";
import { pasteable } from "./server-target.ts";

export interface RotateOptions {
  readonly source: RootSource | SentSource;
  readonly sending: RootSending;
  readonly progress: Progress;
  readonly ends: RotateEnds;
  /** Whether somebody is passed over, of whom nothing is known in the end. */
  readonly hasWaived: boolean;
  /** Whether it is time to give up waiting. */
  readonly isTimeOver: () => boolean;
}

/** Goes on from where the server is, to the end. @throws AdminClientError, CommandRefusedError */
export async function rotate(context: Context, options: RotateOptions): Promise<ExitCode> {
  const { sending, progress, ends, isTimeOver } = options;
  let goal: RotateGoal | undefined;
  let laggards: readonly LaggardValue[] = [];
  let { hasWaived } = options;
  for (;;) {
    if (context.signal.aborted) return ends.interrupted(laggards);
    const status = await pollRootStatus(sending.target);
    if (status === undefined) {
      progress.away(rotationAway);
    } else {
      hasWaived ||= status.waivers.length > 0;
      goal = goalAfter(goal, status);
      const step = decideRotateStep(status, goal);
      laggards = step.kind === "wait" ? step.wait.laggards : [];
      if (step.kind === "wait") progress.wait(rotationWaiting(step.wait, status));
      else if (step.kind !== "command") return await over({ ...options, hasWaived }, step);
      else {
        const refused = await carryOut(step.command, options);
        if (refused === undefined) continue;
        const mayPass = isGate(refused.code) || isOvertaken(step.command, refused.code);
        if (!mayPass) return await ends.refuse(withNext(refused, whereItStands(options)));
      }
    }
    if (isTimeOver()) return ends.timedOut(laggards);
    await untilNextPoll(context);
  }
}

/** Somebody else has given the command meanwhile: the next answer says where that led. */
function isOvertaken(command: RotateCommand, code: string): boolean {
  return command !== "prepare" && overtaken.has(code);
}

const overtaken: ReadonlySet<string> = new Set([
  "trust-changed",
  "nothing-prepared",
  "nothing-to-retire",
]);

/** @returns why not; a server that went away meanwhile is asked again, since it may have done it */
async function carryOut(
  name: RotateCommand,
  { source, sending, progress }: RotateOptions,
): Promise<RefusedValue | undefined> {
  const command: RootCommand = name === "prepare" ? { kind: name, source } : { kind: name };
  try {
    const value = await sendCommand(command, sending);
    if ("refused" in value) return value.refused;
    noteDone(progress, name, value.done);
  } catch (error) {
    if (!(error instanceof AdminClientError)) throw error;
    progress.away(rotationAway);
  }
  return undefined;
}

export function noteDone(progress: Progress, name: RotateCommand, done: DoneValue): void {
  progress.note(name, `${name}: ${done.lines.join("; ")}`, { epoch: done.epoch });
}

async function over(
  options: RotateOptions,
  step: Exclude<RotateStep, { kind: "command" | "wait" }>,
): Promise<ExitCode> {
  const { progress, ends, sending, hasWaived } = options;
  if (step.kind === "done") {
    const but = hasWaived ? ", but for those who were waived" : "";
    progress.note(
      "done",
      `done: authority ${step.authorityId} signs, and nobody trusts another${but}`,
    );
    return ExitCode.ok;
  }
  if (step.kind === "stopped") {
    const next = nextOf(sending.target, step.next);
    return await ends.refuse(refusal("rotation-changed", step.why, next));
  }
  const { reason, detail, next } = step.step;
  const resume = nextOf(sending.target, "then go on: portcullis root rotate --resume");
  return await ends.refuse(refusal(reason, detail, [...next, ...resume]));
}

function whereItStands({ sending }: RotateOptions): NextValue {
  const command = pasteable(sending.target, "portcullis root status");
  return { command, why: "where it stands" };
}
