/** `mtls plan`: in which order the targets of a namespace can go strict, and what each waits for. */

import type { PlannedFlip } from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { ExitCode } from "./command.ts";
import { verdictColour } from "./mtls-verdict-text.ts";
import { verdictValue, type VerdictValue } from "./mtls-verdict-value.ts";
import { nextOf, type NextValue } from "./next-commands.ts";
import type { ServerTarget } from "./server-target.ts";
import { formatTable, type Cell } from "./table.ts";
import { firstOf, printable } from "./text.ts";

export type PlannedValue = {
  readonly target: string;
  /** disable, permissive, strict, mixed */
  readonly mode: string;
  /** From 1: those of one number can go at once. Null while nobody knows. */
  readonly order: number | null;
  readonly verdict: VerdictValue | null;
  readonly waitsFor: readonly string[];
  readonly next: readonly NextValue[];
};

/** In their order; those of whom nobody knows it come last. */
export function planValue(
  targets: readonly PlannedFlip[],
  server: ServerTarget,
): readonly PlannedValue[] {
  return targets
    .map(({ target, mode, order, verdict, waitsFor, next }) => ({
      target,
      mode,
      order: order === 0 ? null : order,
      verdict: verdict === undefined ? null : verdictValue(verdict),
      waitsFor,
      next: nextOf(server, next),
    }))
    .toSorted((a, b) => (a.order ?? last) - (b.order ?? last));
}

const last = Number.MAX_SAFE_INTEGER;

export function planText(
  plan: readonly PlannedValue[],
  { namespace, colour }: { readonly namespace: string; readonly colour: boolean },
): string {
  if (plan.length === 0) {
    return `nothing in ${printable(namespace)} takes calls: portcullis get -n ${printable(namespace)}\n`;
  }
  const headers = ["order", "target", "mode", "verdict", "waits for", "next"];
  const columns = headers.map((header) => ({ header }));
  return formatTable(columns, plan.map(rowOf), { colour }) + waitLines(plan);
}

function rowOf({ order, target, mode, verdict, waitsFor, next }: PlannedValue): Cell[] {
  const [step] = next;
  return [
    order === null ? "" : String(order),
    target,
    mode,
    verdict === null ? "" : verdictCell(verdict),
    firstOf(waitsFor, 1),
    step === undefined ? "" : step.command || step.why,
  ];
}

function verdictCell({ verdict }: VerdictValue): Cell {
  return { text: verdict.toUpperCase(), colour: verdictColour(verdict) };
}

/** Of those that wait for more than a cell has. */
function waitLines(plan: readonly PlannedValue[]): string {
  const lines = plan
    .filter(({ waitsFor }) => waitsFor.length > 1)
    .map(({ target, waitsFor }) => `${target} waits for ${firstOf(waitsFor, waitsMax)}`);
  return lines.length === 0 ? "" : `\n${lines.map((line) => `${printable(line)}\n`).join("")}`;
}

const waitsMax = 20;

/** Whether all that is not strict can go now. */
export function planExit(plan: readonly PlannedValue[]): ExitCode {
  const isReady = plan.every(({ mode, verdict }) => {
    return mode === "strict" || (mode !== "disable" && verdict?.verdict === "safe");
  });
  return isReady ? ExitCode.ok : ExitCode.warning;
}
