/** A verdict in one line: what it is, and what it rests on. And its exit code. */

import { ExitCode } from "./command.ts";
import { formatCount, formatSpan } from "./format.ts";
import { inTheWay, type VerdictValue } from "./mtls-verdict-value.ts";

/**
 * `SAFE: 12 proxies, 7d, 48,211 connections with mTLS, none without, nothing lost`
 * @param isAsked whether the look-back is another than the server's
 */
export function verdictLine(value: VerdictValue, isAsked: boolean): string {
  if (takesNoCalls(value)) return `SAFE: it only calls: nothing in ${value.target} takes calls`;
  const { proxies, mtlsConnections, openMtls, otherConnections } = value;
  const lookBack = formatSpan(Date.parse(value.now) - Date.parse(value.since));
  const parts = [
    proxies === 1 ? "1 proxy" : `${formatCount(proxies)} proxies`,
    isAsked ? `${lookBack} (--look-back)` : lookBack,
    connections(mtlsConnections, openMtls),
    `${otherConnections === 0 ? "none" : formatCount(otherConnections)} without`,
    lostWords(value),
  ];
  return `${value.verdict.toUpperCase()}${butFor(value)}: ${parts.join(", ")}`;
}

/** Of one that has workloads of which nothing is missing, and none that could refuse anybody. */
export function takesNoCalls({
  verdict,
  proxies,
  silent,
}: Pick<VerdictValue, "verdict" | "proxies" | "silent">): boolean {
  return verdict === "safe" && proxies === 0 && silent.length === 0;
}

/** Which of them stand in the way of SAFE. */
function lostWords({ lost, lostMtls }: VerdictValue): string {
  if (lost === 0) return "nothing lost";
  if (lost === lostMtls) return `${formatCount(lost)} lost, all with mTLS: they decide nothing`;
  const others = `${formatCount(lost - lostMtls)} lost without mTLS`;
  return lostMtls === 0 ? others : `${others} and ${formatCount(lostMtls)} with`;
}

/** Who keeps a connection open for all of the time is seen by that alone. */
function connections(ended: number, open: number): string {
  const count = ended + open;
  const words = `${count === 0 ? "no" : formatCount(count)} connection${count === 1 ? "" : "s"} with mTLS`;
  return open === 0 ? words : `${words} (${formatCount(open)} open)`;
}

/** What is passed over is said where the verdict is read. */
function butFor({ callers, silent }: VerdictValue): string {
  const left = inTheWay({ callers, silent });
  const waived = new Set(
    [...callers, ...silent].filter((each) => each.waived).map(({ name }) => name),
  );
  if (waived.size === 0) return "";
  const isLess = left.callers.length + left.silent.length > 0;
  return isLess ? ` (${waived.size} waived)` : ` but for ${waived.size} waived`;
}

export function verdictExit({ verdict }: Pick<VerdictValue, "verdict">): ExitCode {
  if (verdict === "safe") return ExitCode.ok;
  return verdict === "unsafe" ? ExitCode.refused : ExitCode.warning;
}
