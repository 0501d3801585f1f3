/** `mtls plan`: in which order the targets of a namespace can go strict, and what each waits for. */

import type { PlannedFlip } from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { ExitCode } from "./command.ts";
import { asAsked } from "./mtls-asked.ts";
import { nameValue, type NameValue } from "./mtls-status-value.ts";
import { verdictColour } from "./mtls-verdict-words.ts";
import { verdictValue, type VerdictValue } from "./mtls-verdict-value.ts";
import { nextOf, type NextValue } from "./next-commands.ts";
import type { ServerTarget } from "./server-target.ts";
import { formatTable, widthOf, type Cell } from "./table.ts";
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
  /** An object of its own; null where the namespace's or the mesh's decides. */
  readonly decidedBy: NameValue | null;
};

/** In their order; those of whom nobody knows it come last. @param lookBack that was asked for, in seconds */
export function planValue(
  targets: readonly PlannedFlip[],
  server: ServerTarget,
  lookBack: number | undefined,
): readonly PlannedValue[] {
  return targets
    .map(({ target, mode, order, verdict, waitsFor, next, decidedBy }) => ({
      target,
      mode,
      order: order === 0 ? null : order,
      verdict: verdict === undefined ? null : verdictValue(verdict),
      waitsFor,
      next: asAsked(nextOf(server, next), { lookBack }),
      decidedBy: decidedBy === undefined ? null : nameValue(decidedBy),
    }))
    .toSorted((a, b) => (a.order ?? last) - (b.order ?? last));
}

const last = Number.MAX_SAFE_INTEGER;

interface PlanView {
  readonly namespace: string;
  readonly colour: boolean;
  /** Of a terminal; undefined where lines may be as long as they are. */
  readonly width: number | undefined;
}

export function planText(
  plan: readonly PlannedValue[],
  { namespace, colour, width }: PlanView,
): string {
  if (plan.length === 0) {
    return `nothing in ${printable(namespace)} takes calls: portcullis get -n ${printable(namespace)}\n`;
  }
  const headers = ["order", "target", "mode", "verdict", "waits for"];
  const columns = [...headers, "next"].map((header) => ({ header }));
  const rows = plan.map(rowOf);
  const whole = formatTable(columns, rows, { colour });
  if (width === undefined || widthOf(formatTable(columns, rows, { colour: false })) <= width) {
    return whole + waitLines(plan) + ownLine(plan, namespace);
  }
  // A command that is cut cannot be pasted.
  const short = rows.map((row) => row.slice(0, headers.length));
  const table = formatTable(columns.slice(0, headers.length), short, { colour, width });
  return table + waitLines(plan) + ownLine(plan, namespace) + nextBelow(plan);
}

function rowOf({ order, target, mode, verdict, waitsFor, next }: PlannedValue): Cell[] {
  return [
    order === null ? "" : String(order),
    target,
    mode,
    // Of one that is strict it says nothing about an order.
    verdict === null || mode === "strict" ? "" : verdictCell(verdict),
    waitCell(waitsFor),
    stepOf(next),
  ];
}

/** A sentence stands below: one row would make all of them as long. */
function waitCell(waitsFor: readonly string[]): string {
  const text = firstOf(waitsFor, 1);
  return text.length > waitWidthMax ? "what is said below" : text;
}

const waitWidthMax = 60;

function stepOf([step]: readonly NextValue[]): string {
  return step === undefined ? "" : step.command || step.why;
}

function nextBelow(plan: readonly PlannedValue[]): string {
  const steps = plan.map(({ next }) => stepOf(next)).filter((each) => each !== "");
  return steps.length === 0
    ? ""
    : `\n${steps.map((each) => `next: ${printable(each)}\n`).join("")}`;
}

function verdictCell({ verdict }: VerdictValue): Cell {
  return { text: verdict.toUpperCase(), colour: verdictColour(verdict) };
}

/** A flip of the namespace is no flip of these. */
function ownLine(plan: readonly PlannedValue[], namespace: string): string {
  const own = plan.filter(({ decidedBy }) => decidedBy !== null).map(({ target }) => target);
  if (own.length === 0) return "";
  const have =
    own.length === 1 ? "1 has an object of its own" : `${own.length} have objects of their own`;
  const whom = firstOf(own, waitsMax);
  return `\n${printable(`${have}, and no part in a flip of ${namespace}: ${whom}`)}\n`;
}

/** Of those that wait for more than a cell has. */
function waitLines(plan: readonly PlannedValue[]): string {
  const lines = plan
    .filter(({ waitsFor }) => waitsFor.length > 1 || waitCell(waitsFor) !== firstOf(waitsFor, 1))
    .map(({ target, waitsFor }) => `${target} waits for ${firstOf(waitsFor, waitsMax)}`);
  return lines.length === 0 ? "" : `\n${lines.map((line) => `${printable(line)}\n`).join("")}`;
}

const waitsMax = 20;

/** Whether all that is not strict can go now. */
export function planExit(plan: readonly PlannedValue[]): ExitCode {
  const isReady = plan.every(({ mode, order, verdict }) => {
    return mode === "strict" || (order !== null && verdict?.verdict === "safe");
  });
  return isReady ? ExitCode.ok : ExitCode.warning;
}
