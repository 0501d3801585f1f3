/** Puts the first act together: stage, scenario, story and verdict. */

import type { Environment } from "../../edge/config/paths.ts";
import type { TextSink } from "../cli/command.ts";
import type { BoardView, Holder } from "./board.ts";
import { DemoError } from "./demo-error.ts";
import type { Display } from "./display.ts";
import type { Fact, WorkloadName } from "./fact.ts";
import { Ledger } from "./ledger.ts";
import { Narrator } from "./narrator.ts";
import type { DemoOptions } from "./options.ts";
import { painter } from "./paint.ts";
import { Revival } from "./revival.ts";
import { playScenario, requestTimeoutMs as timeoutMs } from "./scenario.ts";
import { drawSchedule, leafSeconds, trafficMs, type Schedule } from "./schedule.ts";
import { Stage, type Parts, type StageOptions } from "./stage.ts";
import { introduction, stayText } from "./texts.ts";
import { formatSummary } from "./summary-text.ts";
import { summarize } from "./summarize.ts";
import type { Summary } from "./summary.ts";
import { Traffic } from "./traffic.ts";
import { Watch } from "./watch.ts";

export interface DemoWorld {
  /** Takes the story. */
  readonly sink: TextSink;
  readonly isTerminal: boolean;
  readonly colour: boolean;
  readonly env: Environment;
  readonly nowMs: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  readonly signal: AbortSignal;
}

const ratePerSecond = 100;
/** Of the 75 s that an act may take; the rest is for the end of the processes. */
const timeLimitMs = 70_000;

/** @throws DemoError and whatever keeps it from being played; the signal's reason when it aborts */
export async function playTraffic(
  options: DemoOptions,
  envoyBinary: string,
  display: Display,
  world: DemoWorld,
): Promise<Summary> {
  return new Demo(options, world, display).run(envoyBinary);
}

class Demo {
  readonly #options: DemoOptions;
  readonly #world: DemoWorld;
  readonly #display: Display;
  readonly #schedule: Schedule;
  readonly #startedMs: number;
  readonly #ledger = new Ledger();
  readonly #narrator: Narrator;
  readonly #failure = new AbortController();
  readonly #signal: AbortSignal;
  #trafficStartedMs: number | undefined;
  /** When the demo stays. */
  #revival: Revival | undefined;
  #traffic: Traffic | undefined;
  #watch: Watch | undefined;

  constructor(options: DemoOptions, world: DemoWorld, display: Display) {
    this.#options = options;
    this.#world = world;
    this.#display = display;
    this.#schedule = drawSchedule(options.seed);
    this.#startedMs = world.nowMs();
    this.#signal = AbortSignal.any([world.signal, this.#failure.signal]);
    this.#narrator = new Narrator({
      display,
      ledger: this.#ledger,
      paint: painter(world.colour),
      startedMs: this.#startedMs,
      nowMs: world.nowMs,
      view: () => this.#view(),
    });
  }

  async run(envoyBinary: string): Promise<Summary> {
    const tooSlow = new DemoError("demo-too-slow", `expected an end within ${timeLimitMs} ms`);
    const limit = setTimeout(() => this.#failure.abort(tooSlow), timeLimitMs);
    await using narrator = this.#narrator;
    this.#display.print(introduction(this.#options, painter(this.#world.colour)));
    narrator.start();
    try {
      await using stage = await Stage.open(this.#stageOptions(envoyBinary), this.#signal);
      const summary = await this.#play(stage.parts);
      clearTimeout(limit);
      if (!this.#options.stay) await narrator[Symbol.asyncDispose]();
      this.#display.print(["", ...formatSummary(summary, this.#world.colour), ""]);
      if (this.#options.stay) await this.#stay(stage.parts);
      return summary;
    } catch (error) {
      throw this.#signal.aborted ? this.#signal.reason : error;
    } finally {
      clearTimeout(limit);
    }
  }

  #stageOptions(envoyBinary: string): StageOptions {
    const { nowMs, random } = this.#world;
    return {
      envoyBinary,
      keepDirectory: this.#options.stay,
      nowMs,
      random,
      onFact: (fact) => this.#take(fact),
      onLost: (program, error) => {
        if (this.#revival === undefined) this.#failure.abort(error);
        else this.#revival.revive(program);
      },
    };
  }

  #take(fact: Fact): void {
    // Ctrl-C reaches all processes of the terminal at once; that they end then is no news.
    if (fact.kind === "lost" && this.#signal.aborted) return;
    this.#narrator.take(fact);
  }

  async #play(parts: Parts): Promise<Summary> {
    const { nowMs } = this.#world;
    const onFact = (fact: Fact): void => this.#take(fact);
    const workloads = [parts.client, parts.server];
    const traffic = new Traffic({ port: parts.clientPort, ratePerSecond, timeoutMs, nowMs });
    const watch = new Watch({ workloads, nowMs, onFact });
    [this.#traffic, this.#watch, this.#trafficStartedMs] = [traffic, watch, nowMs()];
    const scenario = { parts, schedule: this.#schedule, traffic, watch, nowMs, onFact };
    const outcome = await playScenario(scenario, this.#signal);
    const { seed } = this.#options;
    const [startedMs, endedMs] = [this.#startedMs, nowMs()];
    const run = { seed, startedMs, endedMs, agent: this.#schedule.agent };
    return summarize(run, outcome, traffic, this.#ledger);
  }

  async #stay(parts: Parts): Promise<void> {
    const signal = this.#signal;
    const revival = new Revival(parts, signal, (error) => this.#failure.abort(error));
    this.#revival = revival;
    this.#display.print(stayText(parts, painter(this.#world.colour)));
    // An Envoy that was killed does not answer, and is seen by the requests that fail.
    await Promise.all([this.#traffic?.run(signal), this.#watch?.run(signal).catch(() => {})]);
    await revival.settle();
    this.#failure.signal.throwIfAborted();
  }

  #view(): BoardView {
    const traffic = this.#traffic;
    const [p50, p99] = [traffic?.latencyMs(0.5), traffic?.latencyMs(0.99)];
    return {
      nowMs: this.#world.nowMs(),
      phase: `Portcullis demo, act 1, seed ${this.#options.seed}: ${this.#phase()}`,
      controlPlane: {
        isUp: this.#ledger.isControlPlaneUp,
        certificatesSigned: this.#ledger.signedCount,
      },
      leafMs: leafSeconds * 1_000,
      holders: { client: this.#holder("client"), server: this.#holder("server") },
      requests: { sent: traffic?.sent ?? 0, failed: traffic?.failed ?? 0 },
      latencyMs: p50 === undefined || p99 === undefined ? undefined : { p50, p99 },
    };
  }

  #phase(): string {
    if (this.#revival !== undefined) return "stays until Ctrl-C";
    if (this.#trafficStartedMs === undefined) return "starting";
    const seconds = Math.round((this.#world.nowMs() - this.#trafficStartedMs) / 1_000);
    return `${Math.min(seconds, trafficMs / 1_000)} of ${trafficMs / 1_000} s of traffic`;
  }

  #holder(name: WorkloadName): Holder {
    const reading = this.#watch?.reading(name);
    return {
      certificate: reading?.certificate,
      tls: reading?.tls,
      renewals: this.#ledger.renewals(name),
    };
  }
}
