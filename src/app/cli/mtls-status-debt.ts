/** Ports that are permissive until a date: whose it is, and which dates have come. A date alarms, and changes nothing. */

import { untilExpected } from "../../core/flip/debt.ts";
import { formatRelative } from "./format.ts";
import type { PortValue, ProxyPolicyValue } from "./mtls-status-value.ts";
import { firstOf, printable } from "./text.ts";

/** Whether its date has come, and it takes plaintext still. */
export function isOverdue(port: PortValue, nowMs: number): boolean {
  const { permissiveUntil, permissiveUntilText, wanted, because } = port;
  // A flip holds back what is to be strict: nobody owes anything there.
  if (wanted === "strict" || because.rule === "flip") return false;
  if (permissiveUntilText !== null) return true;
  return permissiveUntil !== null && Date.parse(permissiveUntil) <= nowMs;
}

export function hasDate({ permissiveUntil, permissiveUntilText }: PortValue): boolean {
  return permissiveUntil !== null || permissiveUntilText !== null;
}

/** The day alone where it begins then. */
export function untilText({ permissiveUntil, permissiveUntilText }: PortValue): string {
  if (permissiveUntilText !== null) return JSON.stringify(permissiveUntilText);
  return permissiveUntil?.replace(/T00:00:00Z$/, "") ?? "";
}

interface Place {
  readonly name: string;
  readonly port: PortValue;
}

/** How much is left, then each that is late, by date and owner; "" where nothing has a date. */
export function debtLines(proxies: readonly ProxyPolicyValue[], nowMs: number): string {
  const all = proxies.flatMap(({ workload, spiffeId, ports }) =>
    ports.map((port): Place => ({ name: `${workload ?? spiffeId}:${port.port}`, port })),
  );
  const dated = all.filter(({ port }) => hasDate(port));
  if (dated.length === 0) return "";
  const open = all.filter(({ port }) => port.wanted === "permissive").length;
  const late = dated.filter(({ port }) => isOverdue(port, nowMs));
  const past = late.length === 0 ? "" : `, ${late.length} of them past it`;
  const head = `permissive: ${open} of ${all.length} ports; ${dated.length} until a date${past}`;
  const byDebt = Map.groupBy(late, ({ port }) => `${untilText(port)} ${port.owner ?? ""}`);
  const lines = Array.from(byDebt.values(), (places) => lateLine(places, nowMs));
  return [head, ...lines].map((line) => `${printable(line)}\n`).join("");
}

function lateLine(places: readonly Place[], nowMs: number): string {
  const [first] = places;
  if (first === undefined) return "";
  const { permissiveUntil, permissiveUntilText, owner } = first.port;
  const whose = owner === null ? "nobody answers for it" : `${owner} answers for it`;
  const names = firstOf(places.map(({ name }) => name));
  if (permissiveUntilText !== null) {
    return `past: ${names}: expected ${untilExpected}, got ${untilText(first.port)}; ${whose}`;
  }
  const when = formatRelative(Date.parse(permissiveUntil ?? ""), nowMs);
  return `past: ${names}: was to be permissive until ${untilText(first.port)} (${when}); ${whose}`;
}
