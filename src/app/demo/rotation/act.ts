/** Puts the second act together: stage, scenario, board and verdict. */

import { printable } from "../../cli/text.ts";
import type { DemoWorld } from "../demo.ts";
import { DemoError } from "../demo-error.ts";
import type { Display } from "../display.ts";
import { Frames } from "../frames.ts";
import { Operator } from "../mesh/operator.ts";
import { PairTraffic } from "../mesh/pair-traffic.ts";
import { painter, type Style } from "../paint.ts";
import { formatOffset } from "../story.ts";
import { boardLine, boardLines, letterOf, type RootsView } from "./board.ts";
import { playRotation, type RotationOutcome } from "./scenario.ts";
import { identitiesOf, rotationAgents, RotationStage } from "./stage.ts";
import { failureCount, summarizeRotation, type RotationSummary } from "./summary.ts";
import { MeshWatch } from "./watch.ts";

const ratePerSecond = 100;
const requestTimeoutMs = 10_000;
/** As the first act's. */
const timeLimitMs = 70_000;

/** @throws DemoError and whatever keeps it from being played; the signal's reason when it aborts */
export async function playRoots(
  seed: number,
  envoyBinary: string,
  display: Display,
  world: DemoWorld,
): Promise<RotationSummary> {
  const act = new RotationAct(seed, display, world);
  return act.play(envoyBinary);
}

class RotationAct {
  readonly #seed: number;
  readonly #world: DemoWorld;
  readonly #frames: Frames;
  readonly #startedMs: number;
  readonly #failure = new AbortController();
  readonly #signal: AbortSignal;
  #untold: string[] = [];
  #phase = "starting";
  #traffic: PairTraffic | undefined;
  #watch: MeshWatch | undefined;

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

  async play(envoyBinary: string): Promise<RotationSummary> {
    const tooSlow = new DemoError("demo-too-slow", `expected an end within ${timeLimitMs} ms`);
    const limit = setTimeout(() => this.#failure.abort(tooSlow), timeLimitMs);
    await using frames = this.#frames;
    frames.start();
    try {
      const { nowMs, random } = this.#world;
      const onLost = (error: DemoError): void => this.#failure.abort(error);
      const options = { envoyBinary, nowMs, random, onLost };
      await using stage = await RotationStage.open(options, this.#signal);
      return await this.#playOn(stage);
    } catch (error) {
      throw this.#signal.aborted ? this.#signal.reason : error;
    } finally {
      clearTimeout(limit);
    }
  }

  async #playOn({ mesh, controlPlane }: RotationStage): Promise<RotationSummary> {
    const { nowMs, random } = this.#world;
    const { members } = mesh;
    const operator = new Operator(controlPlane.admin, "demo");
    const timeoutMs = requestTimeoutMs;
    const traffic = new PairTraffic({ members, ratePerSecond, timeoutMs, nowMs, random });
    const watch = new MeshWatch([...members.values()], operator);
    [this.#traffic, this.#watch] = [traffic, watch];
    const ends = new AbortController();
    const background = AbortSignal.any([this.#signal, ends.signal]);
    const running = [traffic.run(background), watch.run(background)];
    for (const task of running) task.catch((error: unknown) => this.#failure.abort(error));
    const plan = rotationAgents[this.#seed % rotationAgents.length];
    if (plan === undefined) throw new TypeError("expected agents");
    let outcome: RotationOutcome;
    try {
      outcome = await playRotation(
        {
          mesh,
          operator,
          traffic,
          nowMs,
          frozen: { agent: plan.name, ids: identitiesOf(plan) },
          onPhase: (phase) => (this.#phase = phase),
          tell: (who, what, style) => this.#tell(who, what, style),
        },
        this.#signal,
      );
    } finally {
      ends.abort();
      await Promise.allSettled(running);
    }
    const run = { seed: this.#seed, startedMs: this.#startedMs, endedMs: nowMs() };
    return summarizeRotation(run, outcome, traffic, await watch.readTls(this.#signal));
  }

  #tell(who: string, what: string, style?: Style): void {
    const paint = painter(this.#world.colour);
    const time = formatOffset(this.#world.nowMs() - this.#startedMs);
    const text = printable(what);
    const said = style === undefined ? text : paint(style, text);
    this.#untold.push(`${paint("dim", time)}  ${paint("bold", who.padEnd(14))} ${said}`);
  }

  #view(): RootsView {
    const [traffic, watch] = [this.#traffic, this.#watch];
    const held = Object.entries(traffic?.coverage.holders ?? {});
    return {
      phase: `Portcullis demo, act 2, seed ${this.#seed}: ${this.#phase}`,
      roots: watch?.roots ?? [],
      verifiers: watch?.verifiers,
      held: Object.fromEntries(held.map(([key, count]) => [letterOf(key), count])),
      left: watch?.left,
      requests: { sent: traffic?.sent ?? 0, failed: traffic?.failed ?? 0 },
      handshakes: { made: watch?.tls.handshakes ?? 0, failed: watch ? failureCount(watch.tls) : 0 },
      pairs: traffic?.coverage.seen ?? {},
    };
  }
}
