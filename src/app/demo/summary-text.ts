/** The summary for people. */

import { formatTable } from "../cli/table.ts";
import { workloadNames } from "./fact.ts";
import { painter } from "./paint.ts";
import { formatOffset } from "./story.ts";
import { unmetConditions, type EnvoySummary, type Summary } from "./summary.ts";
import type { TlsFailure } from "./tls-counters.ts";

const failuresShown = 5;

export function formatSummary(summary: Summary, colour: boolean): readonly string[] {
  const paint = painter(colour);
  const unmet = unmetConditions(summary);
  const blocks = [
    [paint("bold", `Summary of seed ${summary.seed}, ${seconds(summary.elapsedMs)} in all`)],
    facts(summary).map(([name, text]) => `${name.padEnd(26)}${text}`),
    envoyTable(summary, colour),
    failureLines(summary),
    unmet.length === 0
      ? [paint("green", "PASS: nothing failed, and both Envoys accepted and used their renewals")]
      : unmet.map((complaint) => paint("red", `FAIL: ${complaint}`)),
  ];
  const shown = blocks.filter((lines) => lines.length > 0);
  return shown.flatMap((lines, index) => (index === 0 ? lines : ["", ...lines]));
}

function facts(summary: Summary): readonly (readonly [string, string])[] {
  const { requests, probes, controlPlane, agent } = summary;
  const { p50, p99, max } = requests.latencyMs;
  return [
    ["requests", `${requests.sent} on a new TLS connection each, ${requests.failed} failed`],
    ["latency", `p50 ${ms(p50)}, p99 ${ms(p99)}, slowest ${ms(max)}`],
    ["direct connections", `${probes.sent} of the demo's own, ${probes.failed} failed`],
    ["control plane", killed(controlPlane)],
    [`${agent.workload} agent`, killed(agent)],
    ["certificates signed", String(summary.certificatesSigned)],
    ["sign -> first handshake", firstHandshakes(summary.signToFirstHandshakeMs)],
  ];
}

function killed(deed: { readonly killedAtMs: number; readonly awayMs: number }): string {
  return `killed at ${formatOffset(deed.killedAtMs).trim()}, away for ${seconds(deed.awayMs)}`;
}

function firstHandshakes(spansMs: readonly number[]): string {
  if (spansMs.length === 0) return "not seen";
  const list = spansMs.map((spanMs) => `${spanMs} ms`).join(", ");
  return `${list} (renewals of the server, as its Envoy presents them)`;
}

function envoyTable({ envoys }: Summary, colour: boolean): readonly string[] {
  const row = (name: string, count: (envoy: EnvoySummary) => number): string[] => [
    name,
    ...workloadNames.map((workload) => String(count(envoys[workload]))),
  ];
  const failures = Object.keys(envoys.client.tls.failures) as TlsFailure[];
  const rows = [
    row("renewals ACKed", ({ renewals }) => renewals.acked),
    row("renewals ACKed and used", ({ renewals }) => renewals.used),
    row("refused (NACK)", ({ nacks }) => nacks),
    row("ssl.handshake", ({ tls }) => tls.handshakes),
    row("ssl.session_reused", ({ tls }) => tls.resumed),
    ...failures.map((name) => row(`ssl.${name}`, ({ tls }) => tls.failures[name])),
  ];
  const columns = workloadNames.map((name) => ({ header: name, align: "right" }) as const);
  return [
    formatTable([{ header: "envoy" }, ...columns], rows, { colour })
      .trimEnd()
      .split("\n"),
  ].flat();
}

function failureLines({ failures }: Summary): readonly string[] {
  return failures
    .slice(0, failuresShown)
    .map(({ atMs, reason }) => `failed at ${formatOffset(atMs).trim()}: ${reason}`);
}

function seconds(spanMs: number): string {
  return `${(spanMs / 1_000).toFixed(1)} s`;
}

function ms(spanMs: number): string {
  return `${spanMs.toFixed(1)} ms`;
}
