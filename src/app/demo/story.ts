/** Facts as lines for people. */

import { printable } from "../cli/text.ts";
import type { Fact, WorkloadName } from "./fact.ts";
import type { Ledger } from "./ledger.ts";
import type { Paint, Style } from "./paint.ts";
import { outageMs, leafSeconds } from "./schedule.ts";

interface Sentence {
  readonly who: string;
  readonly what: string;
  readonly style?: Style;
}

/** @returns undefined when there is nothing new in it */
export function storyLine(
  fact: Fact,
  ledger: Ledger,
  startedMs: number,
  paint: Paint,
): string | undefined {
  const sentence = tell(fact, ledger);
  if (sentence === undefined) return undefined;
  const { who, what, style } = sentence;
  const time = formatOffset(fact.atMs - startedMs);
  const text = printable(what);
  const subject = paint(colourOf(who), who.padEnd(14));
  return `${paint("dim", time)}  ${subject} ${style ? paint(style, text) : text}`;
}

/** Seconds since the start. */
export function formatOffset(spanMs: number): string {
  return `+${(Math.max(0, spanMs) / 1_000).toFixed(1)}s`.padStart(6);
}

/** Enough of a serial to tell it from the others. */
export function shortSerial(serial: string): string {
  return serial.slice(0, 8);
}

export function formatClock(atMs: number): string {
  return new Date(atMs).toISOString().slice(11, 19);
}

function tell(fact: Fact, ledger: Ledger): Sentence | undefined {
  switch (fact.kind) {
    case "traffic-started":
      return { who: "demo", what: "all is up: requests from here on", style: "green" };
    case "ready":
      return { who: "control plane", what: `ready at ${fact.address}`, style: "green" };
    case "signed":
      return { who: "control plane", what: signedText(fact) };
    case "agent-started":
      return { who: `${fact.workload} agent`, what: startedText(fact.serial), style: "green" };
    case "renewal-failed": {
      if (fact.attempt > 0) return undefined;
      const what = "cannot renew: serves the certificate it has, and tries again";
      return { who: `${fact.workload} agent`, what, style: "yellow" };
    }
    case "expired": {
      const what = `${shortSerial(fact.serial)} EXPIRED and is served no more`;
      return { who: `${fact.workload} agent`, what, style: "red" };
    }
    case "acked":
      return ackSentence(fact.workload, fact.secret, fact.serial, fact.atMs, ledger);
    case "nacked": {
      const what = `refuses ${fact.secret} (NACK), and keeps what it has: ${fact.detail}`;
      return { who: `${fact.workload} Envoy`, what, style: "red" };
    }
    case "presented":
      return presentedSentence(fact.serial, fact.atMs, ledger);
    case "killed":
      return { who: fact.program, what: killedText(fact), style: "red" };
    case "lost": {
      const what = `pid ${fact.pid} ended, and not by this demo`;
      return { who: fact.program, what, style: "red" };
    }
    case "used":
      return undefined;
    default:
      return fact satisfies never;
  }
}

function signedText({ serial, spiffeId, notAfterMs }: Fact & { kind: "signed" }): string {
  return `signed ${shortSerial(serial)} for ${spiffeId}, until ${formatClock(notAfterMs)}`;
}

function startedText(serial: string | undefined): string {
  if (serial === undefined) return "started, without a certificate";
  return `started warm: serves ${shortSerial(serial)} from its state directory`;
}

function killedText({ program, pid }: Fact & { kind: "killed" }): string {
  const killed = `KILLED (SIGKILL, pid ${pid})`;
  if (program !== "control plane") return killed;
  const share = Math.round((outageMs / (leafSeconds * 1_000)) * 100);
  return `${killed} for ${outageMs / 1_000} s, ${share} % of a leaf's life`;
}

function ackSentence(
  workload: WorkloadName,
  secret: string,
  serial: string | undefined,
  atMs: number,
  ledger: Ledger,
): Sentence {
  const who = `${workload} Envoy`;
  if (serial === undefined) return { who, what: `ACK ${secret}, the trust bundle` };
  const isRepeated = ledger.firstAckedAtMs(workload, serial) !== atMs;
  const signedAtMs = ledger.signed(serial)?.signedAtMs;
  const remark = isRepeated
    ? ", again on a new stream"
    : signedAtMs === undefined
      ? ""
      : `, ${atMs - signedAtMs} ms after it was signed`;
  return { who, what: `ACK ${secret} ${shortSerial(serial)}${remark}` };
}

function presentedSentence(serial: string, atMs: number, ledger: Ledger): Sentence {
  const signedAtMs = ledger.signed(serial)?.signedAtMs;
  const span = signedAtMs === undefined ? "" : `, ${atMs - signedAtMs} ms after it was signed`;
  return { who: "server Envoy", what: `handshake with ${shortSerial(serial)} seen${span}` };
}

function colourOf(who: string): Style {
  if (who.startsWith("client")) return "cyan";
  return who.startsWith("server") ? "magenta" : "bold";
}
