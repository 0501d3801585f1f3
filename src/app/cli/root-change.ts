/** One command of a rotation: sent, and told what came of it. A refusal is an answer, with the next command. */

import { changeRoot } from "../../edge/rpc/root-client.ts";
import type { RootCommand } from "../../edge/rpc/root-command.ts";
import { ExitCode, type Context } from "./command.ts";
import { formatRelative } from "./format.ts";
import { asUsage } from "./operator.ts";
import { wantsColour, writeOutput, type OutputFormat } from "./output.ts";
import { fetchStatus } from "./root-follow.ts";
import { holdersOf, isGate, shapeOf } from "./root-judgement.ts";
import { laggardTable, namedAll } from "./root-laggards.ts";
import type { LaggardValue } from "./laggard-value.ts";
import {
  changeValue,
  type ChangeValue,
  type DoneValue,
  type RefusedValue,
} from "./root-change-value.ts";
import type { RootTarget } from "./root-target.ts";
import { causeOf, hintsOf, wordsOf } from "./root-words.ts";
import { printable } from "./text.ts";

export const dryRunFlag = {
  "dry-run": { type: "boolean", help: "say what would be done, and change nothing" },
} as const;

export interface RootSending {
  readonly target: RootTarget;
  readonly operator: string;
  readonly dryRun: boolean;
}

/** @throws AdminClientError, CommandRefusedError, UsageError */
export async function sendCommand(
  command: RootCommand,
  { target, operator, dryRun }: RootSending,
): Promise<ChangeValue> {
  const sent = changeRoot(target.address, { command, operator, dryRun });
  return changeValue(await asUsage(`root ${command.kind}`, sent), dryRun, target);
}

/** Sends it and tells what came of it. */
export async function runCommand(
  context: Context,
  command: RootCommand,
  sending: RootSending,
  output: OutputFormat,
): Promise<ExitCode> {
  const value = await sendCommand(command, sending);
  return await reportChange(context, value, sending.target, output);
}

export async function reportChange(
  context: Context,
  value: ChangeValue,
  target: RootTarget,
  output: OutputFormat,
): Promise<ExitCode> {
  if ("done" in value) {
    const text = () => doneText(value.done, value.dryRun, context.nowMs());
    await writeOutput(context, output, value, text);
    return ExitCode.ok;
  }
  if (output === "table") context.stderr.write(await refusedText(value.refused, target, context));
  else await writeOutput(context, output, value, () => "");
  return ExitCode.refused;
}

function doneText({ lines, next }: DoneValue, dryRun: boolean, nowMs: number): string {
  const shown = lines.map((line) => wordsOf(line, nowMs));
  if (dryRun) shown.push("nothing was changed: this was a dry run");
  else shown.push(...hintsOf(next).map((each) => `next: ${wordsOf(each, nowMs)}`));
  return shown.map((line) => `${line}\n`).join("");
}

/** The cause, whom it waits for, and the next command. */
export async function refusedText(
  refused: RefusedValue,
  target: RootTarget,
  context: Context,
): Promise<string> {
  const { code, message, hint, lagging, opensAt } = refused;
  const nowMs = context.nowMs();
  const laggards = await laggardsOf(refused, target);
  const table = laggardTable(laggards, lagging, { nowMs, colour: wantsColour(context), target });
  const opens =
    opensAt === "" ? "" : `at the latest ${formatRelative(Date.parse(opensAt), nowMs)}\n`;
  const hinted = hintsOf(hint).map((each) => `hint: ${wordsOf(each, nowMs)}\n`);
  const cause = wordsOf(causeOf(code, message), nowMs);
  return `refused: ${cause} (${printable(code)})\n${table}${opens}${hinted.join("")}`;
}

/** A refusal names the first only, and of workloads all are wanted; a server that does not say so is no obstacle. */
async function laggardsOf(
  { code, lagging, laggards }: RefusedValue,
  target: RootTarget,
): Promise<readonly LaggardValue[]> {
  if (lagging <= laggards.length || !isGate(code)) return laggards;
  const status = await fetchStatus(target, namedAll).catch(() => undefined);
  if (status === undefined) return laggards;
  const { prepared, retiring } = shapeOf(status);
  const all =
    code === "holders-left"
      ? holdersOf(status, retiring ?? prepared)?.named
      : status.verifiers.laggards;
  return all !== undefined && all.length > laggards.length ? all : laggards;
}
