/** `mtls diff` for people: who would take, send or reach something else. */

import type { ClientsChange, PolicyDiff } from "../../core/policy/policy-diff.ts";
import type { PortChange } from "../../core/policy/policy-diff-ports.ts";
import type { Context } from "./command.ts";
import { objectWords, reasonWords, verdictWords } from "./explain-words.ts";
import type { Configuration } from "./mtls-configuration.ts";
import type { LocatedFinding } from "./finding-table.ts";
import { wantsColour } from "./output.ts";
import { findingLine } from "./resource-kind.ts";
import { formatTable, type Cell } from "./table.ts";

export interface FindingsChange {
  readonly appeared: readonly LocatedFinding[];
  readonly gone: readonly LocatedFinding[];
}

export function diffText(
  after: Configuration,
  { ports, calls, summary }: PolicyDiff,
  { appeared, gone }: FindingsChange,
  context: Pick<Context, "env" | "isTty">,
): string {
  const blocks = [
    table(
      "ports",
      ["workload", "port", "takes", "because"],
      ports.map((each) => portRow(after, each)),
      context,
    ),
    table(
      "calls",
      ["client", "to", "endpoint", "sends", "becomes", "why"],
      calls.map(callRow),
      context,
    ),
    findingLines("new finding", appeared),
    findingLines("gone finding", gone),
    summaryText(summary),
  ];
  return blocks.filter((block) => block !== "").join("\n");
}

/** Whoever wants all asks for JSON. */
const rowsMax = 50;

function table(
  what: string,
  headers: readonly string[],
  rows: readonly (readonly Cell[])[],
  context: Pick<Context, "env" | "isTty">,
): string {
  if (rows.length === 0) return "";
  const columns = headers.map((header) => ({ header }));
  const shown = formatTable(columns, rows.slice(0, rowsMax), { colour: wantsColour(context) });
  const more = rows.length - rowsMax;
  return more > 0 ? `${shown}and ${more} more ${what}: -o json has them all\n` : shown;
}

function portRow(
  after: Configuration,
  { workload, ports, before, after: now }: PortChange,
): readonly Cell[] {
  return [
    `${workload.namespace}/${workload.name}`,
    ports.map((port) => port ?? "any other").join(", "),
    `${before.mode} -> ${now.mode}`,
    objectWords(after, now.because) || "nobody says anything",
  ];
}

function callRow({
  clients,
  host,
  port,
  endpoint,
  before,
  after,
  breaks,
}: ClientsChange): readonly Cell[] {
  const becomes = changed(verdictWords[before.verdict], verdictWords[after.verdict]);
  return [
    firstNames(clients),
    `${host}:${port}`,
    endpoint ?? "all",
    changed(before.sends ?? "nothing", after.sends ?? "nothing"),
    breaks ? { text: becomes, colour: "red" } : becomes,
    reasonWords[after.why],
  ];
}

function changed(before: string, after: string): string {
  return before === after ? after : `${before} -> ${after}`;
}

function firstNames(names: readonly string[]): string {
  const [first = "", ...others] = names;
  return others.length === 0 ? first : `${first} and ${others.length} more`;
}

function findingLines(what: string, all: readonly LocatedFinding[]): string {
  const lines = all.slice(0, rowsMax).map((each) => `${what}: ${findingLine(each)}\n`);
  const more = all.length - rowsMax;
  return lines.join("") + (more > 0 ? `and ${more} more: -o json has them all\n` : "");
}

function summaryText(summary: PolicyDiff["summary"]): string {
  const { workloads, workloadsAdded, workloadsRemoved, ports, calls, callsBroken } = summary;
  const compared = `${count(workloads, "workload")} compared, ${workloadsAdded} new, ${workloadsRemoved} gone`;
  const effect =
    ports + calls === 0
      ? "nothing that they take or send changes"
      : `${count(ports, "port")} would take something else, ${count(calls, "call")} would go otherwise`;
  const broken =
    callsBroken === 0
      ? ""
      : `${count(callsBroken, "call")} that worked would be refused, or fail\n`;
  return `${compared}: ${effect}\n${broken}`;
}

function count(of: number, what: string): string {
  return `${of} ${what}${of === 1 ? "" : "s"}`;
}
