/** Plays the acts that are asked for, one after the other, each on a stage of its own. */

import { findEnvoy } from "../../edge/envoy/binary.ts";
import { playTraffic, type DemoWorld } from "./demo.ts";
import { Display } from "./display.ts";
import { playStrict } from "./flip/act.ts";
import { formatFlipSummary, unmetOfFlip, type FlipSummary } from "./flip/summary.ts";
import type { ActNumber, DemoOptions } from "./options.ts";
import { painter } from "./paint.ts";
import { playRoots } from "./rotation/act.ts";
import {
  formatRotationSummary,
  unmetOfRotation,
  type RotationSummary,
} from "./rotation/summary.ts";
import { unmetConditions, type Summary } from "./summary.ts";
import { flipIntroduction, rotationIntroduction } from "./texts.ts";

export interface ActResult {
  readonly act: ActNumber;
  /** What does not hold; empty if the act has shown what it promises. */
  readonly unmet: readonly string[];
  readonly summary: Summary | RotationSummary | FlipSummary;
}

/** @throws DemoError and whatever keeps one from being played; the signal's reason when it aborts */
export async function playActs(
  options: DemoOptions,
  world: DemoWorld,
): Promise<readonly ActResult[]> {
  using display = new Display(world);
  const { env, signal, colour } = world;
  const notify = (line: string): void => display.print([line]);
  const envoyBinary = await findEnvoy({ env, notify, signal });
  const paint = painter(colour);
  const play = {
    1: async (): Promise<ActResult> => {
      const summary = await playTraffic(options, envoyBinary, display, world);
      return { act: 1, unmet: unmetConditions(summary), summary };
    },
    2: async (): Promise<ActResult> => {
      display.print(rotationIntroduction(options.seed, paint));
      const summary = await playRoots(options.seed, envoyBinary, display, world);
      display.print(["", ...formatRotationSummary(summary, colour), ""]);
      return { act: 2, unmet: unmetOfRotation(summary), summary };
    },
    3: async (): Promise<ActResult> => {
      display.print(flipIntroduction(options.seed, paint));
      const summary = await playStrict(options.seed, envoyBinary, display, world);
      display.print(["", ...formatFlipSummary(summary, colour), ""]);
      return { act: 3, unmet: unmetOfFlip(summary), summary };
    },
  } as const;
  const results: ActResult[] = [];
  for (const act of options.acts) results.push(await play[act]());
  return results;
}
