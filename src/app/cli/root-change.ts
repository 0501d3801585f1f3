/** One command of a rotation: sent, and told what came of it. A refusal is an answer, with the next command. */

import { changeRoot } from "../../edge/rpc/root-client.ts";
import type { RootCommand } from "../../edge/rpc/root-command.ts";
import { ExitCode, type Context } from "./command.ts";
import { asUsage } from "./operator.ts";
import { writeOutput, type OutputFormat } from "./output.ts";
import {
  changeValue,
  withNext,
  type ChangeValue,
  type DoneValue,
  type RefusedValue,
} from "./root-change-value.ts";
import { nextLines } from "./next-commands.ts";
import { refusedText } from "./root-refused-text.ts";
import { sourceWords } from "./root-source.ts";
import { commandOf, hinted, type ServerTarget } from "./server-target.ts";
import { wordsOf } from "./server-words.ts";

export interface RootSending {
  readonly target: ServerTarget;
  readonly operator: string;
  readonly dryRun: boolean;
}

/** @throws AdminClientError, CommandRefusedError, UsageError */
export async function sendCommand(
  command: RootCommand,
  { target, operator, dryRun }: RootSending,
): Promise<ChangeValue> {
  const sent = changeRoot(target.address, { command, operator, dryRun });
  const verb = `root ${command.kind}`;
  return changeValue(await hinted(target, asUsage(verb, sent)), dryRun, target);
}

/** The same again, where nothing else is known to be the next. */
export async function sendOnce(command: RootCommand, sending: RootSending): Promise<ChangeValue> {
  const value = await sendCommand(command, sending);
  if (!("refused" in value)) return value;
  const again = commandOf(sending.target, `root ${command.kind}`, wordsOfCommand(command));
  const next = { command: again, why: "when that is mended" };
  return { ...value, refused: withNext(value.refused, next) };
}

function wordsOfCommand(command: RootCommand): readonly string[] {
  if (command.kind === "prepare") {
    return "sent" in command.source ? [] : sourceWords(command.source);
  }
  if (command.kind !== "compromise") return [];
  return [command.authorityId, ...sourceWords(command.replacement ?? {})];
}

export async function reportChange(
  context: Context,
  value: ChangeValue,
  target: ServerTarget,
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

/** How a verb says that it does not do it. */
export type Refuse = (refused: RefusedValue) => Promise<ExitCode>;

export function refusing(
  context: Context,
  { target, dryRun }: RootSending,
  output: OutputFormat,
): Refuse {
  return (refused) => reportChange(context, { dryRun, refused }, target, output);
}

function doneText({ lines, next }: DoneValue, dryRun: boolean, nowMs: number): string {
  const shown = lines.map((line) => `${wordsOf(line, nowMs)}\n`).join("");
  if (dryRun) return `${shown}nothing was changed: this was a dry run\n`;
  return shown + nextLines("next", next, nowMs);
}
