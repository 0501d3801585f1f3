/** What is true now, as a few lines: under the story in a terminal, now and then in a log. */

import { workloadNames, type WorkloadName } from "./fact.ts";
import type { Renewals } from "./ledger.ts";
import type { Paint } from "./paint.ts";
import { formatClock, shortSerial } from "./story.ts";
import { sumFailures, type TlsCounters } from "./tls-counters.ts";

export interface BoardView {
  readonly nowMs: number;
  readonly phase: string;
  readonly controlPlane: { readonly isUp: boolean; readonly certificatesSigned: number };
  readonly leafMs: number;
  readonly holders: Readonly<Record<WorkloadName, Holder>>;
  readonly requests: { readonly sent: number; readonly failed: number };
  /** Undefined before the first answer. */
  readonly latencyMs: { readonly p50: number; readonly p99: number } | undefined;
}

/** What an Envoy says, which is not there before it runs. */
export interface Holder {
  readonly certificate: { readonly serialHex: string; readonly notAfterMs: number } | undefined;
  readonly renewals: Renewals;
  readonly tls: TlsCounters | undefined;
}

/** Six lines that fit 100 columns. */
export function boardLines(view: BoardView, paint: Paint): readonly string[] {
  const { controlPlane, holders, requests, phase, latencyMs } = view;
  const signed = controlPlane.certificatesSigned;
  const state = controlPlane.isUp ? paint("green", "up") : paint("red", "DEAD");
  const failed = paint(requests.failed === 0 ? "green" : "red", `${requests.failed} failed`);
  const latency =
    latencyMs === undefined
      ? ""
      : `, p50 ${latencyMs.p50.toFixed(1)} ms, p99 ${latencyMs.p99.toFixed(1)} ms`;
  return [
    paint("dim", `${"─".repeat(4)} ${phase} `.padEnd(ruleWidth, "─")),
    `${label("control plane", paint)}${state}, ${signed} certificates signed`,
    ...workloadNames.map(
      (name) => label(`${name} Envoy`, paint) + holderText(holders[name], view, paint),
    ),
    `${label("requests", paint)}${requests.sent} sent, ${failed}${latency}`,
    `${label("handshakes", paint)}${handshakeText(view, paint)}`,
  ];
}

/** The same in one line. */
export function boardLine(view: BoardView): string {
  const { requests, holders, nowMs } = view;
  const held = workloadNames.map((name) => {
    const { certificate } = holders[name];
    if (certificate === undefined) return `${name} has no certificate`;
    const { serialHex, notAfterMs } = certificate;
    return `${name} ${shortSerial(serialHex)} for ${secondsLeft(notAfterMs, nowMs)} s`;
  });
  return [`${requests.sent} requests, ${requests.failed} failed`, ...held].join("; ");
}

const ruleWidth = 96;
const barWidth = 20;

function label(text: string, paint: Paint): string {
  return ` ${paint("bold", text.padEnd(14))} `;
}

function holderText({ certificate, renewals }: Holder, view: BoardView, paint: Paint): string {
  if (certificate === undefined) return paint("yellow", "no certificate yet");
  const { serialHex, notAfterMs } = certificate;
  const left = secondsLeft(notAfterMs, view.nowMs);
  const share = Math.min(1, Math.max(0, (notAfterMs - view.nowMs) / view.leafMs));
  const full = Math.round(share * barWidth);
  const bar = paint(share > 1 / 3 ? "green" : "yellow", "█".repeat(full));
  const rest = paint("dim", "░".repeat(barWidth - full));
  const used = `renewals: ${renewals.acked} ACKed, ${renewals.used} used`;
  const seconds = String(left).padStart(2);
  const held = `${shortSerial(serialHex)} until ${formatClock(notAfterMs)}`;
  return `${held} ${bar}${rest} ${seconds} s   ${used}`;
}

function handshakeText({ holders }: BoardView, paint: Paint): string {
  const counters = workloadNames.flatMap((name) => holders[name].tls ?? []);
  const made = workloadNames.map((name) => `${holders[name].tls?.handshakes ?? 0} ${name} Envoy`);
  const failed = counters.reduce((sum, tls) => sum + sumFailures(tls), 0);
  const resumed = counters.reduce((sum, tls) => sum + tls.resumed, 0);
  const verdict = paint(failed === 0 ? "green" : "red", `${failed} failed`);
  return `${made.join(", ")}, ${verdict}, ${resumed} resumed`;
}

function secondsLeft(notAfterMs: number, nowMs: number): number {
  return Math.max(0, Math.ceil((notAfterMs - nowMs) / 1_000));
}
