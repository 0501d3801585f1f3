/**
 * The third act: a service's ports go from permissive to strict under traffic, after those who still send plaintext were named and have
 * moved. One who comes late is refused, and the flip is taken back for him.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { Style } from "../paint.ts";
import { batch, cron, nameOf, servers, target } from "./manifests.ts";
import type { OperatorShell } from "./operator-shell.ts";
import type { PlainCaller } from "./plain-caller.ts";
import type { FlipStage } from "./stage.ts";
import type { FlipWatch } from "./watch.ts";

export interface FlipScenario {
  readonly stage: FlipStage;
  readonly shell: OperatorShell;
  readonly watch: FlipWatch;
  readonly callers: Readonly<Record<"batch" | "cron" | "report", PlainCaller>>;
  readonly lookBackSeconds: number;
  readonly nowMs: () => number;
  readonly onPhase: (phase: string) => void;
  readonly tell: (who: string, what: string, style?: Style) => void;
}

export interface FlipOutcome {
  /** Whom the first verdict named. */
  readonly named: readonly string[];
  /** Exit codes of `mtls check`, before and after they moved. */
  readonly checks: readonly number[];
  /** Who was strict after each stage. */
  readonly stages: readonly (readonly string[])[];
  /** Of the late caller: whether each strict server refused him, and whom the flip named. */
  readonly late: { readonly wasRefused: boolean; readonly named: readonly string[] };
  /** From the command until plaintext was served again; undefined if it never was. */
  readonly revertMs: number | undefined;
  /** How the flip ended, and why. */
  readonly end: { readonly state: string; readonly cause: string };
}

const breathMs = 1_000;
/** What a report says so long after a stage is in force proves it: a second, and one until Envoy's counters bound it. */
const provenMs = 2_200;
const revertLimitMs = 10_000;

/** @throws the signal's reason when it aborts */
export async function playFlip(scenario: FlipScenario, signal: AbortSignal): Promise<FlipOutcome> {
  const { shell, watch, callers, lookBackSeconds, onPhase, tell } = scenario;
  const breathe = async (): Promise<void> => sleep(breathMs, undefined, { signal });
  const lookBack = ["--look-back", `${lookBackSeconds}s`];
  onPhase("1 of 5: who sends plaintext?");
  const expected = [batch, cron].map(nameOf).toSorted().join();
  await watch.until(({ named }) => named.join() === expected, signal);
  await shell.run(["mtls", "status", "-n", "shop"], signal);
  await breathe();
  const before = await shell.run(["mtls", "check", target, ...lookBack], signal);
  const { named } = watch;

  onPhase("2 of 5: they move");
  await breathe();
  await move(scenario, signal);
  onPhase(`3 of 5: nobody may have sent plaintext for ${lookBackSeconds} s`);
  await watch.until(({ verdict }) => verdict?.verdict === "safe", signal);
  const after = await shell.run(["mtls", "check", target, ...lookBack], signal);

  onPhase("4 of 5: flip, in stages");
  const words = ["--to", "strict", "--stages", "1,all", "--revert-window", "5m", "--yes"];
  const flipping = shell.run(["mtls", "flip", target, ...words, ...lookBack], signal, "flip    | ");
  // It ends when all else has: until then its failure is nobody else's.
  flipping.catch(() => {});
  await watch.until(({ isFirstInForce }) => isFirstInForce, signal);
  const first = watch.strict;
  await sleep(provenMs, undefined, { signal });
  tell("legacy/report", "comes late, and calls the first of them in plaintext", "yellow");
  const isRefused = await callStrict(scenario, first);
  await watch.until(({ strict }) => strict.length === servers.length, signal);
  await watch.until(({ flip }) => flip?.state === "watching", signal);
  const all = watch.strict;
  const areRefused = await callStrict(scenario, all);
  await watch.until(({ refused }) => refused.length > 0, signal);
  const late = { wasRefused: isRefused && areRefused, named: watch.refused };
  tell("legacy/report", `was refused ${callers.report.direct.refused} times`, "red");
  await breathe();

  onPhase("5 of 5: revert");
  const revertMs = await revert(scenario, signal);
  await flipping;
  await watch.until(({ flip }) => flip?.state === "reverted", signal);
  const { state = "", cause = "" } = watch.flip ?? {};
  await breathe();
  return {
    named,
    checks: [before, after],
    stages: [first, all],
    late,
    revertMs,
    end: { state, cause },
  };
}

async function move({ stage, callers, tell }: FlipScenario, signal: AbortSignal): Promise<void> {
  callers.batch.moveBehind(stage.door(batch));
  tell("shop/batch-1", "calls through its Envoy from now on", "green");
  await stage.addProxy(cron, signal);
  callers.cron.moveBehind(stage.door(cron));
  tell("legacy/cron", "has got an Envoy, and calls through it", "green");
}

/** @returns whether each has refused it */
async function callStrict(
  { callers: { report }, stage }: FlipScenario,
  names: readonly string[],
): Promise<boolean> {
  const called = servers.filter(({ name }) => names.includes(name));
  const served = await Promise.all(
    called.map(({ address }) => report.call(address, stage.ports.inbound)),
  );
  return served.length > 0 && !served.includes(true);
}

async function revert(scenario: FlipScenario, signal: AbortSignal): Promise<number | undefined> {
  const { shell, callers, stage, nowMs, tell } = scenario;
  const startedMs = nowMs();
  const words = ["mtls", "revert", target, "--reason", "the report of this month is due"];
  const reverting = shell.run(words, signal, "revert  | ");
  const server = servers.at(-1)?.address ?? "";
  let servedMs: number | undefined;
  while (servedMs === undefined && nowMs() - startedMs < revertLimitMs) {
    if (await callers.report.call(server, stage.ports.inbound)) servedMs = nowMs() - startedMs;
    else await sleep(50, undefined, { signal });
  }
  if (servedMs !== undefined) {
    tell(
      "legacy/report",
      `is served, ${(servedMs / 1_000).toFixed(2)} s after the command`,
      "green",
    );
  }
  await reverting;
  return servedMs;
}
