/** One command of a rotation: sent, and told what came of it. A refusal is an answer, with the next command. */

import type {
  ChangeRootResponse,
  RootChange,
  RootRefusal,
} from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { changeRoot } from "../../edge/rpc/root-client.ts";
import type { RootCommand } from "../../edge/rpc/root-command.ts";
import { ExitCode, type Context } from "./command.ts";
import { formatRelative } from "./format.ts";
import { asUsage } from "./operator.ts";
import { wantsColour, writeOutput, type OutputFormat } from "./output.ts";
import { laggardTable } from "./root-laggards.ts";
import { laggardValue, timeText, type LaggardValue } from "./laggard-value.ts";
import { printable } from "./text.ts";

export const dryRunFlag = {
  "dry-run": { type: "boolean", help: "say what would be done, and change nothing" },
} as const;

export type DoneValue = {
  readonly lines: readonly string[];
  readonly next: string;
  /** PEM; empty but for an offline root. */
  readonly csr: string;
  readonly epoch: number;
};

export type RefusedValue = {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly lagging: number;
  readonly laggards: readonly LaggardValue[];
  readonly opensAt: string;
};

export type ChangeValue =
  | { readonly dryRun: boolean; readonly done: DoneValue }
  | { readonly dryRun: boolean; readonly refused: RefusedValue };

export interface RootSending {
  readonly address: string;
  readonly operator: string;
  readonly dryRun: boolean;
}

/** @throws AdminClientError, CommandRefusedError, UsageError */
export async function sendCommand(
  command: RootCommand,
  { address, operator, dryRun }: RootSending,
): Promise<ChangeValue> {
  const sent = changeRoot(address, { command, operator, dryRun });
  return changeValue(await asUsage(`root ${command.kind}`, sent), dryRun);
}

/** Sends it and tells what came of it. */
export async function runCommand(
  context: Context,
  command: RootCommand,
  sending: RootSending,
  output: OutputFormat,
): Promise<ExitCode> {
  return await report(context, await sendCommand(command, sending), output);
}

export async function report(
  context: Context,
  value: ChangeValue,
  output: OutputFormat,
): Promise<ExitCode> {
  if ("done" in value) {
    await writeOutput(context, output, value, () => doneText(value.done, value.dryRun));
    return ExitCode.ok;
  }
  if (output === "table") context.stderr.write(refusedText(value.refused, context));
  else await writeOutput(context, output, value, () => "");
  return ExitCode.refused;
}

function doneText({ lines, next }: DoneValue, dryRun: boolean): string {
  const shown = lines.map((line) => printable(line));
  if (dryRun) shown.push("nothing was changed: this was a dry run");
  else if (next !== "") shown.push(`next: ${printable(next)}`);
  return shown.map((line) => `${line}\n`).join("");
}

/** The cause, whom it waits for, and the next command. */
export function refusedText(refused: RefusedValue, context: Context): string {
  const { code, message, hint, lagging, laggards, opensAt } = refused;
  const nowMs = context.nowMs();
  const table = laggardTable(laggards, lagging, nowMs, wantsColour(context));
  const opens =
    opensAt === "" ? "" : `at the latest ${formatRelative(Date.parse(opensAt), nowMs)}\n`;
  const hints = hint === "" ? [] : hint.split("\n");
  const hinted = hints.map((each) => `hint: ${printable(each)}\n`).join("");
  return `refused: ${printable(message)} (${code})\n${table}${opens}${hinted}`;
}

function changeValue({ result }: ChangeRootResponse, dryRun: boolean): ChangeValue {
  if (result.case === "done") return { dryRun, done: doneValue(result.value) };
  if (result.case === "refused") return { dryRun, refused: refusedValue(result.value) };
  return {
    dryRun,
    refused: {
      code: "answer-empty",
      message: "the server's answer says neither that it was done nor that it was refused",
      hint: "portcullis root status",
      lagging: 0,
      laggards: [],
      opensAt: "",
    },
  };
}

function doneValue({ lines, next, csr, epoch }: RootChange): DoneValue {
  return { lines, next, csr, epoch: Number(epoch) };
}

function refusedValue(refused: RootRefusal): RefusedValue {
  const { code, message, hint, lagging, laggards, opensAt } = refused;
  return {
    code,
    message,
    hint,
    lagging: Number(lagging),
    laggards: laggards.map(laggardValue),
    opensAt: timeText(opensAt),
  };
}
