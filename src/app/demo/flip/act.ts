/** Puts the third act together: stage, callers, scenario, board and verdict. */

import type { DemoWorld } from "../demo.ts";
import { DemoError } from "../demo-error.ts";
import type { Display } from "../display.ts";
import { Frames } from "../frames.ts";
import { painter } from "../paint.ts";
import { formatOffset } from "../story.ts";
import { Traffic } from "../traffic.ts";
import { boardLine, boardLines, type FlipBoard } from "./board.ts";
import { FlipCallers, sum } from "./callers.ts";
import { servers, web } from "./manifests.ts";
import { OperatorShell } from "./operator-shell.ts";
import { playFlip, type FlipOutcome } from "./scenario.ts";
import { FlipStage } from "./stage.ts";
import { FlipStory } from "./story.ts";
import type { FlipSummary } from "./summary.ts";
import { FlipWatch } from "./watch.ts";

const ratePerSecond = 100;
const timeoutMs = 10_000;
/** As the first act's. */
const timeLimitMs = 70_000;
/** Three times the time between two reports of an agent; a verdict asks that each has told within half of it. */
const lookBackSeconds = 30;

/** @throws DemoError and whatever keeps it from being played; the signal's reason when it aborts */
export async function playStrict(
  seed: number,
  envoyBinary: string,
  display: Display,
  world: DemoWorld,
): Promise<FlipSummary> {
  return new FlipAct(seed, display, world).play(envoyBinary);
}

class FlipAct {
  readonly #seed: number;
  readonly #world: DemoWorld;
  readonly #frames: Frames;
  readonly #startedMs: number;
  readonly #failure = new AbortController();
  readonly #signal: AbortSignal;
  readonly #callers = new FlipCallers();
  readonly #story: FlipStory;
  #phase = "starting";
  #traffic: Traffic | undefined;
  #watch: FlipWatch | undefined;

  constructor(seed: number, display: Display, world: DemoWorld) {
    const { nowMs, colour, signal } = world;
    this.#seed = seed;
    this.#world = world;
    this.#startedMs = nowMs();
    this.#signal = AbortSignal.any([signal, this.#failure.signal]);
    const paint = painter(colour);
    this.#story = new FlipStory(paint, () => nowMs() - this.#startedMs);
    this.#frames = new Frames({
      display,
      startedMs: this.#startedMs,
      nowMs,
      story: () => this.#story.take(),
      board: () => boardLines(this.#view(), paint),
      report: () => `${formatOffset(nowMs() - this.#startedMs)}  ${boardLine(this.#view())}`,
    });
  }

  async play(envoyBinary: string): Promise<FlipSummary> {
    const tooSlow = new DemoError("demo-too-slow", `expected an end within ${timeLimitMs} ms`);
    const limit = setTimeout(() => this.#failure.abort(tooSlow), timeLimitMs);
    await using frames = this.#frames;
    frames.start();
    try {
      const { nowMs, random } = this.#world;
      const onLost = (error: DemoError): void => this.#failure.abort(error);
      await using stage = await FlipStage.open(
        { envoyBinary, nowMs, random, onLost },
        this.#signal,
      );
      return await this.#playOn(stage);
    } catch (error) {
      throw this.#signal.aborted ? this.#signal.reason : error;
    } finally {
      clearTimeout(limit);
    }
  }

  async #playOn(stage: FlipStage): Promise<FlipSummary> {
    const { nowMs } = this.#world;
    const { admin, ports } = stage;
    const traffic = new Traffic({ port: stage.door(web), ratePerSecond, timeoutMs, nowMs });
    const watch = new FlipWatch({ admin, lookBackSeconds });
    [this.#traffic, this.#watch] = [traffic, watch];
    const ends = new AbortController();
    const background = AbortSignal.any([this.#signal, ends.signal]);
    const calling = this.#callers.run(ports.inbound, background);
    const running = [traffic.run(background), watch.run(background), calling];
    for (const task of running) task.catch((error: unknown) => this.#failure.abort(error));
    let outcome: FlipOutcome;
    try {
      outcome = await playFlip(
        {
          stage,
          shell: this.#shell(admin),
          watch,
          callers: this.#callers,
          lookBackSeconds,
          nowMs,
          onPhase: (phase) => {
            this.#phase = phase;
            this.#story.tell("demo", phase, "dim");
          },
          tell: (who, what, style) => this.#story.tell(who, what, style),
        },
        this.#signal,
      );
    } finally {
      ends.abort();
      await Promise.allSettled(running);
    }
    return this.#summarize(outcome, traffic);
  }

  #summarize(outcome: FlipOutcome, { sent, failed, failures }: Traffic): FlipSummary {
    const elapsedMs = this.#world.nowMs() - this.#startedMs;
    const since = failures.map((each) => ({ ...each, atMs: each.atMs - this.#startedMs }));
    const counted = { requests: { sent, failed }, moved: this.#callers.meshed, failures: since };
    return { ...outcome, seed: this.#seed, elapsedMs, ...counted };
  }

  #shell(admin: string): OperatorShell {
    return new OperatorShell({
      admin,
      nowMs: this.#world.nowMs,
      onCommand: (text) => this.#story.tell("operator", text, "bold"),
      onLine: (line) => this.#story.quote(line),
    });
  }

  #view(): FlipBoard {
    const { sent = 0, failed = 0 } = this.#traffic ?? {};
    return {
      phase: `Portcullis demo, act 3, seed ${this.#seed}: ${this.#phase}`,
      modes: this.#watch?.modes ?? new Map(servers.map(({ name }) => [name, ""])),
      verdict: this.#watch?.verdict?.verdict ?? "",
      named: this.#watch?.named ?? [],
      meshed: sum([{ sent, failed }, this.#callers.meshed]),
      plaintext: this.#callers.plaintext,
    };
  }
}
