/** A refusal for people: the cause, whom it waits for, and the next command. */

import type { Context } from "./command.ts";
import { formatRelative } from "./format.ts";
import type { LaggardValue } from "./laggard-value.ts";
import { wantsColour } from "./output.ts";
import type { RefusedValue } from "./root-change-value.ts";
import { fetchStatus } from "./root-follow.ts";
import { causeOf, holdersOf, isGate, shapeOf } from "./root-judgement.ts";
import { laggardTable, namedAll } from "./root-laggards.ts";
import { nextLines } from "./next-commands.ts";
import type { ServerTarget } from "./server-target.ts";
import type { RootStatusValue } from "./root-value.ts";
import { wordsOf } from "./server-words.ts";
import { printable } from "./text.ts";

export async function refusedText(
  refused: RefusedValue,
  target: ServerTarget,
  context: Context,
): Promise<string> {
  const { code, message, next, lagging, opensAt } = refused;
  const status = await statusFor(refused, target);
  // By the server's clock, as `root status` has it.
  const nowMs = status === undefined ? context.nowMs() : Date.parse(status.now);
  const laggards = allLaggards(refused, status);
  const table = laggardTable(laggards, lagging, { nowMs, colour: wantsColour(context), target });
  const opens =
    opensAt === "" ? "" : `at the latest ${formatRelative(Date.parse(opensAt), nowMs)}\n`;
  const cause = wordsOf(causeOf(code, message), nowMs);
  const hints = nextLines("hint", next, nowMs);
  return `refused: ${cause} (${printable(code)})\n${table}${opens}${hints}`;
}

/** A refusal names the first only, and of workloads all are wanted; a server that does not say so is no obstacle. */
export async function statusFor(
  { code, lagging, laggards }: RefusedValue,
  target: ServerTarget,
): Promise<RootStatusValue | undefined> {
  const isCut = isGate(code) && lagging > laggards.length;
  return await fetchStatus(target, isCut ? namedAll : 1).catch(() => undefined);
}

export function allLaggards(
  { code, lagging, laggards }: RefusedValue,
  status: RootStatusValue | undefined,
): readonly LaggardValue[] {
  if (status === undefined || lagging <= laggards.length || !isGate(code)) return laggards;
  const { prepared, retiring } = shapeOf(status);
  const all =
    code === "holders-left"
      ? holdersOf(status, retiring ?? prepared)?.named
      : status.verifiers.laggards;
  return all !== undefined && all.length > laggards.length ? all : laggards;
}
