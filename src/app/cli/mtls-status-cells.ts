/** What the cells of `mtls status` say of a port. */

import { refWords } from "../../core/resources/resource.ts";
import { hasDate, untilText } from "./mtls-status-debt.ts";
import type { PortValue, ProxyPolicyValue } from "./mtls-status-value.ts";
import type { Cell, CellColour } from "./table.ts";

export function mtlsCell(port: PortValue): string {
  const { openMtls } = port;
  return openMtls === 0 ? shareOf(port) : `${shareOf(port)}, ${openMtls} open`;
}

/** Of all that were taken within the look-back, and those with mTLS that are open: never all or none of them by rounding. */
export function shareOf({
  mtlsConnections,
  openMtls,
  otherConnections,
  refusedConnections,
}: PortValue): string {
  const mtls = mtlsConnections + openMtls;
  const others = otherConnections - refusedConnections;
  if (mtls + others === 0) return "";
  if (others === 0) return "100%";
  if (mtls === 0) return "0%";
  const tenths = Math.round((mtls / (mtls + others)) * 1_000);
  return `${(Math.min(999, Math.max(1, tenths)) / 10).toFixed(1)}%`;
}

export function callersOf({
  mtlsConnections,
  openMtls,
  otherConnections,
  otherCallers,
}: PortValue): string {
  return mtlsConnections + openMtls + otherConnections === 0 ? "" : String(otherCallers);
}

export function inForceOf({ inForce, openPlaintext }: PortValue): string {
  const mode = inForce ?? "";
  if (openPlaintext === 0) return mode;
  return `${mode} (${openPlaintext} plaintext connection${openPlaintext === 1 ? "" : "s"} open)`;
}

export function becauseOf({ because: { kind, namespace, name, rule } }: PortValue): string {
  if (kind === null) return "default";
  return `${refWords({ kind, namespace: namespace ?? "", name: name ?? "" })} (${rule})`;
}

export function causeOf(port: PortValue): string {
  return `because of ${becauseOf(port)}`;
}

export function dateOf(port: PortValue): string {
  if (!hasDate(port)) return "";
  const whose = port.owner === null ? "" : ` (${port.owner})`;
  return `until ${untilText(port)}${whose}`;
}

const colours: ReadonlyMap<string, CellColour> = new Map<string, CellColour>([
  ["in-force", "green"],
  ["draining", "yellow"],
  ["unobserved", "yellow"],
  ["pushed", "yellow"],
  ["held", "yellow"],
  ["silent", "yellow"],
  ["unknown", "yellow"],
  ["refused", "red"],
]);

export function stateCell({ state }: ProxyPolicyValue, port: PortValue | undefined): Cell {
  const text = `${state}${port === undefined ? "" : flipText(port)}`;
  const colour = colours.get(state);
  return colour === undefined ? text : { text, colour };
}

/** A flip holds it back, or it has opened its stage. */
function flipText({ flip, heldBack }: PortValue): string {
  if (flip === null) return "";
  return heldBack ? `, held back by flip ${flip}` : `, flip ${flip}`;
}
