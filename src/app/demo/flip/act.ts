/** Puts the third act together: stage, callers, scenario, board and verdict. */

import { printable } from "../../cli/text.ts";
import type { DemoWorld } from "../demo.ts";
import { DemoError } from "../demo-error.ts";
import type { Display } from "../display.ts";
import { Frames } from "../frames.ts";
import { painter, type Style } from "../paint.ts";
import { formatOffset } from "../story.ts";
import { Traffic } from "../traffic.ts";
import { boardLine, boardLines, type FlipBoard } from "./board.ts";
import { FlipCallers, sum } from "./callers.ts";
import { servers, web } from "./manifests.ts";
import { OperatorShell } from "./operator-shell.ts";
import { playFlip, type FlipOutcome } from "./scenario.ts";
import { FlipStage } from "./stage.ts";
import type { FlipSummary } from "./summary.ts";
import { FlipWatch } from "./watch.ts";

const ratePerSecond = 100;
const timeoutMs = 10_000;
/** As the first act's. */
const timeLimitMs = 70_000;
/** More than twice the time between two reports of an agent, as a verdict asks for half of it. */
const lookBackSeconds = 24;

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
  #untold: string[] = [];
  #phase = "starting";
  #traffic: Traffic | undefined;
  #watch: FlipWatch | undefined;

  constructor(seed: number, display: Display, world: DemoWorld) {
    const { nowMs, colour, signal } = world;
    this.#seed = seed;
    this.#world = world;
    this.#startedMs = nowMs();
    this.#signal = AbortSignal.any([signal, this.#failure.signal]);
    this.#frames = new Frames({
      display,
      startedMs: this.#startedMs,
      nowMs,
      story: () => this.#untold.splice(0),
      board: () => boardLines(this.#view(), painter(colour)),
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
          onPhase: (phase) => (this.#phase = phase),
          tell: (who, what, style) => this.#tell(who, what, style),
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
    const moved = this.#callers.meshed;
    const since = failures.map((each) => ({ ...each, atMs: each.atMs - this.#startedMs }));
    const requests = { sent, failed };
    return { ...outcome, seed: this.#seed, elapsedMs, requests, moved, failures: since };
  }

  #shell(admin: string): OperatorShell {
    const paint = painter(this.#world.colour);
    return new OperatorShell({
      admin,
      nowMs: this.#world.nowMs,
      onCommand: (text) => this.#tell("operator", text, "bold"),
      onLine: (line) => this.#untold.push(`${" ".repeat(8)}${paint("cyan", printable(line))}`),
    });
  }

  #tell(who: string, what: string, style?: Style): void {
    const paint = painter(this.#world.colour);
    const time = formatOffset(this.#world.nowMs() - this.#startedMs);
    const text = printable(what);
    const said = style === undefined ? text : paint(style, text);
    this.#untold.push(`${paint("dim", time)}  ${paint("bold", who.padEnd(14))} ${said}`);
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
